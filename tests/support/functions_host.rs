//! An Azure Functions host, as far as a custom handler can tell: it reads a package, starts the handler in its environment,
//! probes it, sends it what timers, queues and callers bring, in the host's own encoding, and does with the answers what
//! the host does. Whatever would hang, be lost or be mangled there is a problem here.
//!
//! Not the real one: queues are in memory, timers fire when the test says so, and time can be skipped.

mod answer;
mod call;
mod cron;
mod encode;
mod invoke;
mod package;
mod process;
mod pump;
mod queue;

pub(crate) use encode::{HttpRequest, Status, Timer};
pub(crate) use invoke::{Invocation, Outcome};
pub(crate) use package::{Package, Settings};
pub(crate) use process::{Level, Line};

use super::gate::{Gate, Stop};
use chrono::{DateTime, TimeDelta, Utc};
use invoke::What;
use package::Trigger;
use process::Process;
use queue::Queues;
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::future::Future;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::TcpSocket;
use tokio::runtime::{Handle, Runtime};

/// Nothing is waited for longer.
const PATIENCE: Duration = Duration::from_mins(1);
/// The key that callers of a function show. It must never be logged.
pub(crate) const FUNCTION_KEY: &str = "s3cret-function-key";

/// What goes wrong after an answer, or with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No output is written; the invocation fails.
    OutputsLost,
    /// The first half of the outputs is written; the invocation fails.
    OutputsPartly,
    /// All outputs are written, and the invocation fails all the same.
    FailedAfter,
    /// All outputs are written twice.
    OutputsTwice,
    /// The message comes again although all went well.
    Redelivered,
    /// The message comes a second time while the first is under way.
    Twice,
}

/// Decides what goes wrong with an invocation: function, message and how-manieth time.
type Chaos = Arc<dyn Fn(&str, Option<(&str, u32)>) -> Option<Fault> + Send + Sync>;

/// Where the handler is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Not running, because we stopped it.
    Stopped,
    Starting,
    Ready,
    /// Not running, and the host will not start it again.
    Over(String),
}

struct Inner {
    phase: Phase,
    process: Option<Process>,
    client: reqwest::Client,
    /// Processes started so far.
    generation: u64,
    /// Hosts started so far.
    hosts: u64,
    started: Instant,
    errors: Vec<Instant>,
    failures: Vec<String>,
    exits: Vec<Option<i32>>,
    ready_in: Vec<Duration>,
    console: Vec<Line>,
    problems: Vec<String>,
    queues: Queues,
    invocations: Vec<Invocation>,
    faults: BTreeMap<String, VecDeque<Fault>>,
    chaos: Option<Chaos>,
    function_timeout: Option<Duration>,
    skipped: TimeDelta,
}

struct Shared {
    package: Package,
    settings: Settings,
    port: u16,
    /// Keeps the port ours while nobody listens at it.
    _reserved: TcpSocket,
    inner: Mutex<Inner>,
    news: Condvar,
    runtime: Handle,
    closing: AtomicBool,
    random: AtomicU64,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A test that stopped elsewhere still puts its host away.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn told(&self) {
        self.news.notify_all();
    }

    fn problem(&self, what: String) {
        self.lock().problems.push(what);
    }

    /// The queues' clock.
    fn now(&self) -> DateTime<Utc> {
        Utc::now() + self.lock().skipped
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let _ours = self.runtime.spawn(work);
    }

    fn hex(&self, digits: usize) -> String {
        let mut text = String::new();
        while text.len() < digits {
            // Splitmix: spread out, and the same at every run.
            let mut z = self.random.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            write!(text, "{:016x}", z ^ (z >> 31)).unwrap();
        }
        text.truncate(digits);
        text
    }

    fn guid(&self) -> String {
        let part = |digits| self.hex(digits);
        format!("{}-{}-4{}-8{}-{}", part(8), part(4), part(3), part(3), part(12))
    }

    fn fault_for(&self, function: &str, message: Option<(&str, u32)>) -> Option<Fault> {
        let mut inner = self.lock();
        let next = inner.faults.get_mut(function).and_then(VecDeque::pop_front);
        let chaos = inner.chaos.clone();
        drop(inner);
        next.or_else(|| chaos.and_then(|chaos| chaos(function, message)))
    }

    /// Kills the process, as the host does; messages stay with whoever runs them.
    fn kill(&self) {
        let mut inner = self.lock();
        if let Some(process) = &mut inner.process {
            process.expected = true;
            let _gone = process.child.kill();
        }
        drop(inner);
        self.wait_until(|inner| inner.process.is_none());
    }

    /// What happens at the end of a function's time: the whole process goes, and a new one comes. No error is counted.
    fn kill_and_restart(self: &Arc<Self>) {
        self.kill();
        let _ = process::start(self);
    }

    fn wait_until(&self, done: impl Fn(&Inner) -> bool) {
        let waited = self.news.wait_timeout_while(self.lock(), PATIENCE, |inner| !done(inner));
        let (inner, _) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(done(&inner), "it does not come to that: {:?}", inner.phase);
    }
}

/// A running host.
pub(crate) struct FunctionsHost {
    shared: Arc<Shared>,
    // Last: what runs in it is gone first.
    runtime: Option<Runtime>,
}

/// An invocation under way.
pub(crate) struct Pending {
    receiver: std::sync::mpsc::Receiver<Invocation>,
}

impl Pending {
    /// Waits for its end.
    pub(crate) fn wait(self) -> Invocation {
        self.receiver.recv_timeout(PATIENCE).expect("the invocation ends")
    }
}

impl FunctionsHost {
    /// Reads a package with these app settings and takes a port. The handler is not started yet.
    pub(crate) fn read(app: &Path, settings: Settings) -> Result<Self, String> {
        let package = Package::read(app, &settings)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let _within = runtime.enter();
        let reserved = TcpSocket::new_v4().unwrap();
        reserved.set_reuseaddr(true).unwrap();
        reserved.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let port = reserved.local_addr().unwrap().port();
        let inner = Inner {
            phase: Phase::Stopped,
            process: None,
            client: reqwest::Client::new(),
            generation: 0,
            hosts: 1,
            started: Instant::now(),
            errors: Vec::new(),
            failures: Vec::new(),
            exits: Vec::new(),
            ready_in: Vec::new(),
            console: Vec::new(),
            problems: Vec::new(),
            queues: Queues::default(),
            invocations: Vec::new(),
            faults: BTreeMap::new(),
            chaos: None,
            function_timeout: package.function_timeout,
            skipped: TimeDelta::zero(),
        };
        let shared = Arc::new(Shared {
            package,
            settings,
            port,
            _reserved: reserved,
            inner: Mutex::new(inner),
            news: Condvar::new(),
            runtime: runtime.handle().clone(),
            closing: AtomicBool::new(false),
            random: AtomicU64::new(u64::from(port) << 32),
        });
        Ok(Self { shared, runtime: Some(runtime) })
    }

    /// Reads a package whose functions can all be indexed, and waits until its handler is ready.
    #[track_caller]
    pub(crate) fn start(app: &Path, settings: Settings) -> Self {
        let host = Self::read(app, settings).unwrap();
        assert_eq!(host.shared.package.not_indexed, BTreeMap::new());
        host.boot().unwrap();
        host
    }

    /// Starts the handler and waits until it is ready, or the host gives up. Answers how long that took.
    pub(crate) fn boot(&self) -> Result<Duration, String> {
        process::start(&self.shared)?;
        self.settled()
    }

    /// Waits until the handler is ready, or the host has given up.
    pub(crate) fn settled(&self) -> Result<Duration, String> {
        self.shared.wait_until(|inner| {
            // Between the end of a process and its restart the phase is still that of the former one.
            inner.phase == Phase::Ready && inner.process.is_some()
                || matches!(inner.phase, Phase::Stopped | Phase::Over(_))
        });
        let inner = self.shared.lock();
        match &inner.phase {
            Phase::Over(why) => Err(why.clone()),
            Phase::Stopped => Err("the host is stopped".to_owned()),
            _ => Ok(inner.ready_in.last().copied().unwrap_or_default()),
        }
    }

    pub(crate) fn package(&self) -> &Package {
        &self.shared.package
    }

    pub(crate) fn port(&self) -> u16 {
        self.shared.port
    }

    pub(crate) fn phase(&self) -> Phase {
        self.shared.lock().phase.clone()
    }

    /// The handler's process id.
    pub(crate) fn pid(&self) -> u32 {
        self.shared.lock().process.as_ref().expect("a running handler").child.id()
    }

    /// From start to ready, of each process.
    pub(crate) fn ready_in(&self) -> Vec<Duration> {
        self.shared.lock().ready_in.clone()
    }

    /// In place of `functionTimeout`.
    pub(crate) fn function_timeout(&self, limit: Duration) {
        self.shared.lock().function_timeout = Some(limit);
    }

    /// SIGKILL to everything: the instance is gone. Messages under way come back, and nobody counts an error.
    pub(crate) fn kill(&self) {
        let now = self.shared.now();
        {
            let mut inner = self.shared.lock();
            inner.hosts += 1;
            inner.errors.clear();
        }
        self.shared.kill();
        self.shared.lock().queues.release_all(now);
        self.shared.told();
    }

    /// Kills and starts again, on the same port.
    #[track_caller]
    pub(crate) fn reboot(&self) {
        self.kill();
        self.boot().unwrap();
    }

    /// A signal from outside to the handler. What follows is the host's to decide.
    pub(crate) fn signal(&self, signal: &str) {
        let kill = format!("kill -{signal} {}", self.pid());
        assert!(std::process::Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// The handler dies by itself. Waits until the host has started it again or given up.
    pub(crate) fn crash(&self) -> Result<Duration, String> {
        let exits = self.exits().len();
        self.signal("KILL");
        self.shared.wait_until(|inner| inner.exits.len() > exits);
        self.settled()
    }

    /// A signal to the handler and how it ends; it is not started again.
    pub(crate) fn ends_at(&self, signal: &str) -> Option<i32> {
        self.shared.lock().process.as_mut().expect("a running handler").expected = true;
        self.signal(signal);
        self.shared.wait_until(|inner| inner.process.is_none());
        self.shared.lock().exits.last().copied().unwrap()
    }

    /// How processes ended so far.
    pub(crate) fn exits(&self) -> Vec<Option<i32>> {
        self.shared.lock().exits.clone()
    }

    /// Errors of the handler as the host tells them, with its last lines.
    pub(crate) fn failures(&self) -> Vec<String> {
        self.shared.lock().failures.clone()
    }

    /// The next invocations of this function go wrong so, one each.
    pub(crate) fn fault(&self, function: &str, faults: impl IntoIterator<Item = Fault>) {
        let mut inner = self.shared.lock();
        inner.faults.entry(function.to_owned()).or_default().extend(faults);
    }

    /// Decides what goes wrong with every invocation from now on.
    pub(crate) fn chaos(
        &self,
        chaos: impl Fn(&str, Option<(&str, u32)>) -> Option<Fault> + Send + Sync + 'static,
    ) {
        self.shared.lock().chaos = Some(Arc::new(chaos));
    }

    /// Nothing goes wrong any more.
    pub(crate) fn calm(&self) {
        let mut inner = self.shared.lock();
        inner.chaos = None;
        inner.faults.clear();
    }

    fn block<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.as_ref().unwrap().block_on(work)
    }

    /// A timer fires, as it usually does.
    pub(crate) fn timer(&self, name: &str) -> Invocation {
        let unmonitored = match self.shared.package.functions.get(name).map(|f| &f.trigger) {
            Some(Trigger::Timer { unmonitored, .. }) => *unmonitored,
            _ => panic!("`{name}` is no timer"),
        };
        let status = if unmonitored { Status::Null } else { Status::Digits(4) };
        self.timer_with(name, &Timer { status, ..Timer::default() })
    }

    /// A timer fires and says this of itself.
    pub(crate) fn timer_with(&self, name: &str, timer: &Timer) -> Invocation {
        self.begin(name, What::Timer(timer.clone())).wait()
    }

    /// A timer fires; nobody waits.
    pub(crate) fn begin_timer(&self, name: &str) -> Pending {
        self.begin(name, What::Timer(Timer::default()))
    }

    /// An invocation with this body, whatever the function.
    pub(crate) fn raw(&self, name: &str, body: &[u8]) -> Invocation {
        self.begin(name, What::Raw(body.to_vec())).wait()
    }

    fn begin(&self, name: &str, what: What) -> Pending {
        let (sender, receiver) = std::sync::mpsc::channel();
        let (shared, name) = (Arc::clone(&self.shared), name.to_owned());
        self.shared.spawn(async move {
            let fault = shared.fault_for(&name, None);
            let _ = sender.send(invoke::invoke(&shared, &name, &what, fault).await);
        });
        Pending { receiver }
    }

    /// Puts a message in a queue.
    pub(crate) fn put(&self, queue: &str, text: &str) {
        let now = self.shared.now();
        self.shared.lock().queues.put(queue, text, now);
    }

    /// The texts in a queue, hidden ones included.
    pub(crate) fn queue(&self, queue: &str) -> Vec<String> {
        self.shared.lock().queues.texts(queue)
    }

    /// The queues' clock goes ahead: what is hidden for so long can be seen.
    pub(crate) fn skip(&self, time: TimeDelta) {
        self.shared.lock().skipped += time;
    }

    /// Runs all queues until nothing is left that can be seen, or the handler is gone.
    pub(crate) fn drain(&self) -> Vec<Invocation> {
        self.block(pump::pump(Arc::clone(&self.shared)))
    }

    /// Works, and is killed as soon as the gate has stopped the n-th request. Answers whether it came to that; the host is
    /// started again in any case.
    pub(crate) fn killed_at(
        &self,
        gate: &Gate,
        n: usize,
        stop: Stop,
        work: impl FnOnce(&Self) + Send,
    ) -> bool {
        gate.arm(n, stop);
        self.killed_when(|| gate.tripped(Duration::from_millis(2)), work);
        let tripped = gate.disarm();
        self.boot().unwrap();
        tripped
    }

    /// Works, and is killed as soon as what is looked at has changed n times. Answers whether it came to that; the host is
    /// started again in any case.
    pub(crate) fn killed_at_change<T: PartialEq + Send>(
        &self,
        n: usize,
        look: impl Fn() -> T,
        work: impl FnOnce(&Self) + Send,
    ) -> bool {
        let (mut now, mut changes) = (look(), 0);
        self.killed_when(
            || {
                let then = std::mem::replace(&mut now, look());
                changes += usize::from(then != now);
                changes >= n
            },
            work,
        );
        self.boot().unwrap();
        changes >= n
    }

    fn killed_when(&self, mut reached: impl FnMut() -> bool, work: impl FnOnce(&Self) + Send) {
        std::thread::scope(|scope| {
            let job = scope.spawn(|| work(self));
            while !job.is_finished() && !reached() {}
            self.kill();
            job.join().unwrap();
        });
    }

    /// All invocations so far.
    pub(crate) fn invocations(&self) -> Vec<Invocation> {
        self.shared.lock().invocations.clone()
    }

    /// All lines of the handler so far.
    pub(crate) fn console(&self) -> Vec<Line> {
        self.shared.lock().console.clone()
    }

    /// All lines of the handler so far, as one text.
    pub(crate) fn said(&self) -> String {
        let lines: Vec<String> = self.console().into_iter().map(|line| line.text).collect();
        lines.join("\n")
    }

    /// Waits for a line with this text in it.
    #[track_caller]
    pub(crate) fn wait_for_line(&self, text: &str) -> Line {
        let find = |inner: &Inner| inner.console.iter().find(|l| l.text.contains(text)).cloned();
        let waited = self
            .shared
            .news
            .wait_timeout_while(self.shared.lock(), PATIENCE, |i| find(i).is_none());
        let (inner, _) = waited.unwrap();
        find(&inner).unwrap_or_else(|| panic!("`{text}` was not said: {:#?}", inner.console))
    }

    /// Waits until something is so.
    pub(crate) fn wait_until(&self, done: impl Fn(&Self) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !done(self) {
            assert!(Instant::now() < until, "it does not come to that");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Everything that should not be so. Empty at the end of every test.
    pub(crate) fn problems(&self) -> Vec<String> {
        self.shared.lock().problems.clone()
    }

    /// The problems so far, forgotten.
    pub(crate) fn take_problems(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.lock().problems)
    }
}

impl Drop for FunctionsHost {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::Relaxed);
        if let Some(process) = &mut self.shared.lock().process {
            process.expected = true;
            let _gone = process.child.kill();
            let _gone = process.child.wait();
        }
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
