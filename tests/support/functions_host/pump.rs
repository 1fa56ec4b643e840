//! The queues' functions at work, with the host's own measure of how many at a time.

use super::invoke::{Invocation, queue_of, run_message};
use super::package::Function;
use super::{Phase, Shared};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// A message that comes so often in one go never ends.
const ENDLESS: u32 = 40;

/// Runs the queues' functions until there is nothing left to do. A queue is asked for a batch when no more than its
/// threshold are under way.
pub(super) async fn pump(shared: Arc<Shared>) -> Vec<Invocation> {
    let options = shared.package.queues.clone();
    let functions: Vec<(&Function, &str)> = shared
        .package
        .functions
        .values()
        .filter_map(|function| Some((function, queue_of(function)?)))
        .collect();
    let mut running: JoinSet<(String, Invocation)> = JoinSet::new();
    let mut under_way: BTreeMap<String, usize> = BTreeMap::new();
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    let mut done = Vec::new();
    loop {
        let over = matches!(shared.lock().phase, Phase::Stopped | Phase::Over(_));
        for (function, queue) in &functions {
            let busy = under_way.entry((*queue).to_owned()).or_default();
            if over || *busy > options.threshold {
                continue;
            }
            let now = shared.now();
            let taken = shared.lock().queues.take(queue, options.batch, now);
            for message in taken {
                let times = seen.entry(message.id.clone()).or_default();
                *times += 1;
                if *times > ENDLESS {
                    let text =
                        format!("a message of `{queue}` comes again without end: {}", message.text);
                    shared.problem(text);
                    continue;
                }
                if message.dequeues > options.max_dequeues && !queue.ends_with("-poison") {
                    // It was taken often enough already, and nobody lived to say so.
                    shared.lock().queues.poison(&message, now);
                    continue;
                }
                *busy += 1;
                let (shared, name, queue) =
                    (Arc::clone(&shared), function.name.clone(), (*queue).to_owned());
                running.spawn(async move { (queue, run_message(&shared, &name, message).await) });
            }
        }
        // Looks again in a moment: a message may come a second time while the first is under way.
        let moment = tokio::time::timeout(Duration::from_millis(10), running.join_next()).await;
        match moment {
            Ok(None) => {
                let left = functions.iter().any(|(_, queue)| {
                    let now = shared.now();
                    shared.lock().queues.visible(queue, now)
                });
                if over || !left {
                    return done;
                }
            }
            Ok(Some(ended)) => {
                let (queue, invocation) = ended.unwrap();
                *under_way.entry(queue).or_default() -= 1;
                done.push(invocation);
            }
            Err(_) => {}
        }
    }
}
