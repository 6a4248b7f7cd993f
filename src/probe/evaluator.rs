//! Schedules the evaluations of metric checks: one task per check, owned here.
//!
//! The first evaluation comes soon, since port 53 may wait for it; then one follows each period.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use reqwest::Client;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::health::{CheckSlot, Generation, Observation, ScheduledMetric};
use crate::log_limit::LogLimit;

use super::concurrency::{LATE, RecentProbes};
use super::environment::Environment;
use super::metric::{self, MetricReport};
use super::prober::ProberError;

/// The default limit of concurrent queries of a Prometheus; more would wait there.
const QUERIES_AT_ONCE: usize = 20;

/// All first evaluations start within this time, or within the period if that is shorter.
const FIRST_WITHIN: Duration = Duration::from_secs(1);

/// The result of one evaluation, sent to the control loop.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluated {
    /// The check.
    pub slot: CheckSlot,
    /// The generation of its slot.
    pub generation: Generation,
    /// The observation for the check.
    pub observation: Observation,
    /// The outcome of the evaluation.
    pub report: MetricReport,
    /// How long it took.
    pub took: Duration,
}

/// Evaluates the metric checks.
#[derive(Debug)]
pub struct Evaluator {
    running: HashMap<CheckSlot, Running>,
    tools: Arc<Tools>,
}

/// The task of one check. It stops when this is dropped.
#[derive(Debug)]
struct Running {
    generation: Generation,
    period: Duration,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Tools {
    environment: Arc<Environment>,
    client: Client,
    /// Concurrency limits by the address of the Prometheus: one that hangs delays only its own
    /// checks.
    turns: Mutex<HashMap<String, Weak<Semaphore>>>,
    results: mpsc::Sender<Evaluated>,
}

impl Evaluator {
    /// An evaluator without checks. If results are not received, evaluation waits.
    pub fn new(environment: &Arc<Environment>, results: mpsc::Sender<Evaluated>) -> Result<Evaluator, ProberError> {
        let client = metric::client(Arc::clone(&environment.resolver))?;
        let tools = Tools { environment: Arc::clone(environment), client, turns: Mutex::default(), results };
        Ok(Evaluator { running: HashMap::new(), tools: Arc::new(tools) })
    }

    /// Follows changes of the schedule until its sender is dropped; then all tasks stop.
    pub async fn run(mut self, mut schedule: watch::Receiver<Arc<[ScheduledMetric]>>) {
        loop {
            let wanted = Arc::clone(&schedule.borrow_and_update());
            self.set(&wanted);
            if schedule.changed().await.is_err() {
                return;
            }
        }
    }

    /// Compares the schedule with the running tasks: starts, keeps, stops. Must be called within a
    /// tokio runtime.
    pub fn set(&mut self, schedule: &[ScheduledMetric]) {
        let mut before = std::mem::take(&mut self.running);
        for (index, scheduled) in schedule.iter().enumerate() {
            let running = match before.remove(&scheduled.slot) {
                Some(running) if running.continues_as(scheduled) => running,
                _ => {
                    let first = scheduled.check.period.min(FIRST_WITHIN).mul_f64(index as f64 / schedule.len() as f64);
                    Running::start(scheduled, first, &self.tools)
                }
            };
            self.running.insert(scheduled.slot, running);
        }
    }
}

impl Running {
    fn start(scheduled: &ScheduledMetric, first: Duration, tools: &Arc<Tools>) -> Running {
        let task = tokio::spawn(keep_evaluating(scheduled.clone(), first, Arc::clone(tools)));
        Running { generation: scheduled.generation, period: scheduled.check.period, task }
    }

    /// A task that ended, which only a bug here could cause, is restarted.
    fn continues_as(&self, scheduled: &ScheduledMetric) -> bool {
        self.generation == scheduled.generation && self.period == scheduled.check.period && !self.task.is_finished()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Tools {
    async fn evaluate(&self, scheduled: &ScheduledMetric) -> (MetricReport, Duration) {
        let began = Instant::now();
        let report = metric::evaluate(&self.client, scheduled).await;
        (report, began.elapsed())
    }

    /// The concurrency limit of a Prometheus, kept while a check uses it.
    fn limit_of(&self, prometheus: &str) -> Arc<Semaphore> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = turns.get(prometheus).and_then(Weak::upgrade) {
            return known;
        }
        turns.retain(|_, turns| turns.strong_count() > 0);
        let new = Arc::new(Semaphore::new(QUERIES_AT_ONCE));
        turns.insert(prometheus.to_owned(), Arc::downgrade(&new));
        new
    }
}

async fn keep_evaluating(scheduled: ScheduledMetric, first: Duration, tools: Arc<Tools>) {
    let mut ticks = interval_at(Instant::now() + first, scheduled.check.period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let turns = tools.limit_of(scheduled.check.prometheus.reveal());
    let (mut is_logged, mut recent, warnings) = (false, RecentProbes::default(), LogLimit::default());
    loop {
        ticks.tick().await;
        let turn = turns.acquire().await.expect("the semaphore is never closed");
        let began = Instant::now();
        let responsiveness = recent.responsiveness(scheduled.check.evaluation_periods);
        let (report, took) = tools.environment.permits.run(responsiveness, || tools.evaluate(&scheduled)).await;
        drop(turn);
        if recent.is_discarded(tools.environment.was_paused_since(began)) {
            continue;
        }
        recent.note(report.observation() == Observation::Missing && took > LATE);
        let observation = report.observation();
        // Missing data may never change a status, so it is logged here, once.
        let has_data = observation != Observation::Missing;
        let check = &*scheduled.name;
        if is_logged && has_data {
            tracing::info!(check, "health check {check} has data again: {report}");
            is_logged = false;
        } else if !is_logged
            && !has_data
            && let Some(held_back) = warnings.admit(check)
        {
            tracing::warn!(check, "health check {check}: {report}{held_back}");
            is_logged = true;
        }
        let evaluated = Evaluated { slot: scheduled.slot, generation: scheduled.generation, observation, report, took };
        let Ok(()) = tools.results.send(evaluated).await else { return };
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use tokio::time::timeout;

    use super::*;
    use crate::probe::metric::tests::scheduled;
    use crate::probe::test_servers::Server;

    const SOON: Duration = Duration::from_secs(60);

    fn evaluator() -> (Evaluator, mpsc::Receiver<Evaluated>) {
        let (sender, receiver) = mpsc::channel(16);
        (Evaluator::new(&Environment::start(64), sender).unwrap(), receiver)
    }

    async fn next(results: &mut mpsc::Receiver<Evaluated>) -> Evaluated {
        timeout(SOON, results.recv()).await.expect("a result comes soon").unwrap()
    }

    fn answer(number: &str) -> String {
        let body = format!(r#"{{"status":"success","data":{{"resultType":"scalar","result":[1,"{number}"]}}}}"#);
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
    }

    #[tokio::test]
    async fn plans_that_stay_are_kept_and_those_that_go_stop() {
        let server = Server::answering(answer("1")).await;
        let scheduled = scheduled(&format!("http://{}", server.address), "up");
        let (sender, receiver) = watch::channel(Arc::from([scheduled.clone()]));
        let (evaluator, mut results) = evaluator();
        let running = tokio::spawn(evaluator.run(receiver));
        for _ in 0..3 {
            let evaluated = next(&mut results).await;
            assert_eq!((evaluated.slot, evaluated.generation), (scheduled.slot, scheduled.generation));
            assert_eq!(evaluated.observation, Observation::Fail);
        }
        // Nothing is restarted, or a first evaluation would come at once.
        let hourly =
            Arc::new(crate::model::MetricCheck { period: Duration::from_secs(3600), ..(*scheduled.check).clone() });
        let rare = ScheduledMetric { check: hourly, ..scheduled };
        sender.send_replace(Arc::from([rare.clone()]));
        while server.accepted.load(Ordering::SeqCst) < 4 {
            next(&mut results).await;
        }
        sender.send_replace(Arc::from([rare]));
        drop(sender);
        timeout(SOON, running).await.expect("it stops").unwrap();
        while results.recv().await.is_some() {}
        server.assert_that_nothing_is_left().await;
    }
}
