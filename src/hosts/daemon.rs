//! The engine on one machine: a loop that wakes at the next slot, and a queue in the process.

use crate::engine::{Delivered, Engine, Outcome, StateError, TickReport, Ticket, Watch};
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use futures_util::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Waits up to this are slept; longer ones are offered by the tick that finds them due.
const SLEPT: TimeDelta = TimeDelta::seconds(30);
/// How long a single tick may be at the deliveries to one receiver before it leaves the rest to the next one.
const LANE: Duration = Duration::from_mins(1);
/// No sleep is longer: due deliveries are looked for at least this often.
const LONGEST_NAP: Duration = Duration::from_mins(1);
/// How long deliveries may go on after the order to stop. A POST takes at most 30 s.
const GRACE: Duration = Duration::from_secs(35);

/// A tick under way.
type Ticking<'a> = Pin<Box<dyn Future<Output = Result<TickReport, StateError>> + Send + 'a>>;

/// What one tick with its deliveries did.
#[derive(Debug)]
pub struct Once {
    /// The tick.
    pub tick: TickReport,
    /// The deliveries, in the order in which they were offered.
    pub deliveries: Vec<(Ticket, Result<Delivered, StateError>)>,
    /// Deliveries that were offered and are left for the next tick.
    pub left: u64,
}

/// Something worth telling.
#[derive(Debug)]
pub enum Event<'a> {
    /// A tick is over.
    Tick(&'a TickReport),
    /// A delivery is over, for now.
    Delivery(&'a Ticket, &'a Result<Delivered, StateError>),
    /// A tick could not begin.
    Error(&'a str),
}

/// One tick, and the deliveries that are due. Each receiver gets its alerts one by one, all receivers at once.
pub async fn once(
    engine: &Engine,
    watches: &[Watch],
    now: DateTime<Utc>,
) -> Result<Once, StateError> {
    let began = Instant::now();
    let offered: Mutex<Vec<Ticket>> = Mutex::new(Vec::new());
    let tick = engine
        .tick(watches, now, &|ticket| {
            offered.lock().unwrap_or_else(PoisonError::into_inner).push(ticket);
        })
        .await?;
    let mut lanes: BTreeMap<String, Vec<Ticket>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for ticket in offered.into_inner().unwrap_or_else(PoisonError::into_inner) {
        if seen.insert(ticket.clone()) {
            lanes.entry(ticket.receiver.clone()).or_default().push(ticket);
        }
    }
    let lanes = lanes.into_values().map(|tickets| async move {
        let mut done = Vec::new();
        let mut left = 0;
        let mut broken = false;
        for ticket in tickets {
            // A receiver that has just refused everything is not asked again in the same breath, and one that takes its time
            // does not hold up the next tick: what is left is offered by that.
            if broken || began.elapsed() > LANE {
                left += 1;
                continue;
            }
            let at = now + TimeDelta::from_std(began.elapsed()).unwrap_or_default();
            let delivered = engine.deliver(&ticket, at).await;
            broken = matches!(delivered, Ok(Delivered::Broken { .. }));
            done.push((ticket, delivered));
        }
        (done, left)
    });
    let (mut deliveries, mut left) = (Vec::new(), 0);
    for (done, more) in join_all(lanes).await {
        deliveries.extend(done);
        left += more;
    }
    Ok(Once { tick, deliveries, left })
}

/// Completes when the process is told to stop (SIGINT or SIGTERM).
pub fn signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Runs until `stop` completes: then no new tick begins, and what is under way is finished.
pub async fn run(
    engine: Arc<Engine>,
    watches: Vec<Watch>,
    stop: impl Future<Output = ()>,
    tell: &(dyn Fn(&Event<'_>) + Sync),
) {
    let (done_tx, mut done_rx) = mpsc::unbounded_channel();
    let (stopping_tx, stopping) = watch::channel(false);
    let mut lanes = Lanes {
        engine: Arc::clone(&engine),
        queues: BTreeMap::new(),
        tasks: JoinSet::new(),
        done: done_tx,
        stopping,
    };
    let (offer_tx, mut offer_rx) = mpsc::unbounded_channel::<Ticket>();
    let offer = |ticket: Ticket| {
        // The receiving end lives as long as this function.
        let _ = offer_tx.send(ticket);
    };
    tokio::pin!(stop);
    let mut next = Instant::now();
    let mut tick: Option<Ticking<'_>> = None;
    loop {
        tokio::select! {
            biased;
            () = &mut stop => break,
            Some(ticket) = offer_rx.recv() => lanes.push(ticket),
            Some((ticket, delivered)) = done_rx.recv() => {
                tell(&Event::Delivery(&ticket, &delivered));
                lanes.forget(&ticket);
            }
            result = async { match &mut tick { Some(tick) => tick.await, None => std::future::pending().await } } => {
                tick = None;
                match result {
                    Ok(report) => tell(&Event::Tick(&report)),
                    Err(error) => tell(&Event::Error(&error.to_string())),
                }
                next = Instant::now() + nap(&watches, clock());
            }
            () = tokio::time::sleep_until(next), if tick.is_none() => {
                tick = Some(Box::pin(engine.tick(&watches, clock(), &offer)));
            }
        }
    }
    // What is under way may end; what is waiting is offered by the next start's first tick.
    stopping_tx.send_replace(true);
    let deadline = Instant::now() + GRACE;
    if let Some(tick) = tick
        && let Ok(Ok(report)) = tokio::time::timeout_at(deadline, tick).await
    {
        tell(&Event::Tick(&report));
    }
    lanes.queues.clear();
    let drained = async { while lanes.tasks.join_next().await.is_some() {} };
    let _late = tokio::time::timeout_at(deadline, drained).await;
    while let Ok((ticket, delivered)) = done_rx.try_recv() {
        tell(&Event::Delivery(&ticket, &delivered));
    }
}

#[expect(clippy::disallowed_methods, reason = "a host reads the clock once an invocation")]
fn clock_now() -> DateTime<Utc> {
    Utc::now()
}

/// Now, in whole microseconds. Records have ticks of 100 ns: an instant between two ticks would be one in a window of ours
/// and another in the text of the query.
pub fn clock() -> DateTime<Utc> {
    clock_now().trunc_subsecs(6)
}

/// How long until the next slot of any rule.
fn nap(watches: &[Watch], now: DateTime<Utc>) -> Duration {
    watches
        .iter()
        .filter_map(|watch| watch.rule.schedule.next_after(now))
        .min()
        .and_then(|next| (next - now).to_std().ok())
        .unwrap_or(LONGEST_NAP)
        .min(LONGEST_NAP)
}

type Done = (Ticket, Result<Delivered, StateError>);

/// One queue a receiver: a slow receiver delays nobody but itself.
struct Lanes {
    engine: Arc<Engine>,
    queues: BTreeMap<String, (mpsc::UnboundedSender<Ticket>, BTreeSet<Ticket>)>,
    tasks: JoinSet<()>,
    done: mpsc::UnboundedSender<Done>,
    stopping: watch::Receiver<bool>,
}

impl Lanes {
    fn push(&mut self, ticket: Ticket) {
        let lane = self.queues.entry(ticket.receiver.clone()).or_insert_with(|| {
            let (tx, rx) = mpsc::unbounded_channel();
            let (engine, done) = (Arc::clone(&self.engine), self.done.clone());
            self.tasks.spawn(lane(engine, rx, done, self.stopping.clone()));
            (tx, BTreeSet::new())
        });
        // What is queued already is not queued twice.
        if lane.1.insert(ticket.clone()) {
            let _ = lane.0.send(ticket);
        }
    }

    fn forget(&mut self, ticket: &Ticket) {
        if let Some((_, queued)) = self.queues.get_mut(&ticket.receiver) {
            queued.remove(ticket);
        }
    }
}

async fn lane(
    engine: Arc<Engine>,
    mut tickets: mpsc::UnboundedReceiver<Ticket>,
    done: mpsc::UnboundedSender<Done>,
    mut stopping: watch::Receiver<bool>,
) {
    while let Some(ticket) = tickets.recv().await {
        // What is left in the queue at the order to stop waits for the next start.
        if *stopping.borrow() {
            break;
        }
        let delivered = loop {
            let now = clock();
            let delivered = engine.deliver(&ticket, now).await;
            let wait = match &delivered {
                Ok(Delivered::Later { due, .. }) if *due - now <= SLEPT => {
                    (*due - clock()).to_std().unwrap_or_default()
                }
                _ => break delivered,
            };
            if tokio::time::timeout(wait, stopping.wait_for(|stop| *stop)).await.is_ok() {
                break delivered;
            }
        };
        let broken = matches!(delivered, Ok(Delivered::Broken { .. }));
        if done.send((ticket, delivered)).is_err() {
            break;
        }
        // A receiver that has just refused everything is not asked again in the same breath.
        while broken && let Ok(ticket) = tickets.try_recv() {
            let _ = done.send((ticket, Ok(Delivered::Dropped)));
        }
    }
}

/// For each workspace with due watches, how many there were and how many failed. An alert outside watches for the absence
/// of lines with `failed=0`.
pub fn evaluated(report: &TickReport) -> Vec<String> {
    #[derive(Default)]
    struct Counts {
        due: usize,
        failed: usize,
        put_off: usize,
    }
    let mut workspaces: BTreeMap<&str, Counts> = BTreeMap::new();
    for (label, outcome) in &report.watches {
        if matches!(outcome, Outcome::NotDue) {
            continue;
        }
        let workspace =
            label.rsplit_once(" on ").map_or(label.as_str(), |(_, workspace)| workspace);
        let counts = workspaces.entry(workspace).or_default();
        counts.due += 1;
        counts.failed += usize::from(matches!(outcome, Outcome::Failed { .. }));
        counts.put_off += usize::from(matches!(outcome, Outcome::PutOff(_)));
    }
    workspaces
        .into_iter()
        // A watch that was put off did not fail, and is not committed either: that line would say that all is well.
        .filter(|(_, counts)| counts.failed > 0 || counts.put_off == 0)
        .map(|(name, Counts { due, failed, .. })| {
            format!("evaluated workspace={name} watches={due} failed={failed}")
        })
        .collect()
}

/// Logs a tick: a line for each watch that has something to say, and one for each workspace.
pub fn log_tick(report: &TickReport) {
    for (label, outcome) in &report.watches {
        match outcome {
            Outcome::Done { rows, alerts } if !alerts.is_empty() => tracing::info!(
                watch = %label, rows, alerts = alerts.len(), "{label}: {} alerts committed", alerts.len()
            ),
            Outcome::Failed { error, .. } => tracing::error!(watch = %label, "{label}: {error}"),
            Outcome::PutOff(until) => {
                tracing::warn!(watch = %label, "{label}: throttled until {until}");
            }
            _ => tracing::debug!(watch = %label, ?outcome, "{label}: evaluated"),
        }
    }
    for line in evaluated(report) {
        tracing::info!("{line}");
    }
    for alert in &report.own {
        if alert.receivers.is_empty() {
            // Nobody can be told: this line is all there is.
            tracing::error!(alert.id = %alert.id, "hsmwatch: {}", alert.rule.meaning);
        } else {
            tracing::warn!(alert.id = %alert.id, "hsmwatch: {}", alert.rule.meaning);
        }
    }
    for error in &report.errors {
        tracing::error!("state: {error}");
    }
}

/// Logs a delivery.
pub fn log_delivery(ticket: &Ticket, delivered: &Result<Delivered, StateError>) {
    let Ticket { alert, receiver, .. } = ticket;
    match delivered {
        Ok(Delivered::Ok) => {
            tracing::info!(alert.id = %alert, receiver.name = %receiver, "delivered {alert} to {receiver}");
        }
        Ok(Delivered::Dropped) => {
            tracing::debug!(alert.id = %alert, "nothing to deliver of {alert} to {receiver}");
        }
        Ok(Delivered::Later { due, why }) => {
            tracing::warn!(alert.id = %alert, receiver.name = %receiver, "{alert} to {receiver} is tried again at {due}: {why}");
        }
        Ok(Delivered::Broken { why }) => {
            tracing::error!(receiver.name = %receiver, "receiver {receiver} is broken, its alerts wait: {why}");
        }
        Ok(Delivered::Ended { why, .. }) => {
            tracing::error!(alert.id = %alert, receiver.name = %receiver, "{alert} will not be delivered to {receiver}: {why}");
        }
        Err(error) => {
            tracing::error!(alert.id = %alert, receiver.name = %receiver, %error, "{alert} to {receiver}: {error}");
        }
    }
}
