//! A Lambda on this machine: every function runs as its real binary against a Lambda runtime API.
//!
//! As in Lambda, an instance handles one event at a time, more instances are started while events wait, an instance
//! that is over its time is killed, and one that ends is replaced.

use crate::aws::lineage::Lineage;
use crate::aws::names::{ACCOUNT, REGION};
use crate::template::Function;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;
use uuid::Uuid;

/// An answer of a function (Lambda quotas, "Invocation payload").
const MAX_ANSWER: usize = 6 * 1024 * 1024;
/// How often an instance's memory is looked at.
const GLANCE: Duration = Duration::from_millis(100);
/// Instances of one function; Lambda would start more.
const MAX_INSTANCES: usize = 4;

/// Why an invocation has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failed {
    /// The function reported an error.
    Error(String),
    /// The process ended in the middle of it.
    Crashed,
    TimedOut,
    /// It was invoked too often in one chain of requests.
    Loop,
    UnknownFunction,
}

/// Where what functions print goes: the function's name and a line.
pub type Sink = Arc<dyn Fn(&str, &str) + Send + Sync>;

pub struct Lambda {
    pools: BTreeMap<String, Arc<Pool>>,
}

struct Pool {
    name: String,
    binary: PathBuf,
    environment: BTreeMap<String, String>,
    timeout: Duration,
    memory_mb: u64,
    /// It may be invoked by its own messages without end.
    may_loop: bool,
    runtime_api: String,
    sink: Sink,
    events: mpsc::UnboundedSender<Event>,
    waiting_events: tokio::sync::Mutex<mpsc::UnboundedReceiver<Event>>,
    state: Mutex<PoolState>,
    /// Events that no instance has taken yet.
    backlog: AtomicUsize,
}

#[derive(Default)]
struct PoolState {
    tasks: Vec<tokio::task::JoinHandle<()>>,
    idle: usize,
    in_flight: HashMap<String, InFlight>,
    /// Instances that have come as far as asking for an event.
    ready: HashSet<String>,
    /// Ends an instance.
    switches: HashMap<String, Arc<Notify>>,
    /// Instances that are replaced from outside, which is no failure of whoever waits for one.
    replaced: HashSet<String>,
}

struct Event {
    id: String,
    payload: Bytes,
    trace_id: String,
    reply: oneshot::Sender<Result<Bytes, Failed>>,
}

struct InFlight {
    instance: String,
    reply: oneshot::Sender<Result<Bytes, Failed>>,
}

impl Lambda {
    /// Starts an instance of every function.
    pub fn start(
        functions: &[Function],
        binaries: &BTreeMap<String, PathBuf>,
        common: &BTreeMap<String, String>,
        runtime_api: &str,
        sink: &Sink,
    ) -> Result<Arc<Self>, crate::Error> {
        let mut pools = BTreeMap::new();
        for function in functions {
            let binary = binaries.get(&function.binary).ok_or_else(|| {
                format!("template.yaml has {}, but there is no binary {}", function.id, function.binary)
            })?;
            let pool = Pool::new(function, binary.clone(), common, runtime_api, sink.clone());
            pool.add_instance();
            pools.insert(function.binary.clone(), pool);
        }
        Ok(Arc::new(Self { pools }))
    }

    /// Hands an event to a function and waits for its answer. `chain` is the lineage of what the event comes from.
    pub async fn invoke(&self, function: &str, payload: Bytes, chain: Lineage) -> Result<Bytes, Failed> {
        let pool = self.pools.get(function).ok_or(Failed::UnknownFunction)?;
        let lineage = if pool.may_loop { Some(chain.allowed(function)) } else { chain.invoking(function) };
        let Some(lineage) = lineage else {
            (pool.sink)(
                function,
                "recursive-loop detection: the function is not invoked again in this chain of requests",
            );
            return Err(Failed::Loop);
        };
        pool.invoke(payload, lineage.trace_id()).await
    }

    /// Kills an instance (SIGKILL); another one takes its place. Says whether it was alive.
    pub fn kill(&self, instance: &str) -> bool {
        let switch = self.pools.values().find_map(|pool| pool.lock().switches.remove(instance));
        if let Some(switch) = &switch {
            switch.notify_one();
        }
        switch.is_some()
    }

    /// Kills every instance of a function (SIGKILL); others take their places.
    pub fn kill_all(&self, function: &str) {
        if let Some(pool) = self.pools.get(function) {
            let mut state = pool.lock();
            let switches = std::mem::take(&mut state.switches);
            switches.values().for_each(|switch| switch.notify_one());
            state.replaced.extend(switches.into_keys());
        }
    }

    /// Returns the runtime API of every function (Lambda developer guide, "Using the Lambda runtime API").
    pub fn router(self: &Arc<Self>) -> Router {
        Router::new()
            .route("/{function}/{instance}/2018-06-01/runtime/invocation/next", get(next))
            .route("/{function}/{instance}/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/{function}/{instance}/2018-06-01/runtime/invocation/{id}/error", post(error))
            .route("/{function}/{instance}/2018-06-01/runtime/init/error", post(init_error))
            // What is too large is answered with an error, not refused.
            .layer(DefaultBodyLimit::disable())
            .with_state(self.clone())
    }
}

impl Lambda {
    /// Ends every instance.
    pub fn stop(&self) {
        for pool in self.pools.values() {
            // A task owns its child process, which is killed as the task is dropped.
            pool.lock().tasks.drain(..).for_each(|task| task.abort());
        }
    }
}

impl Pool {
    fn new(
        function: &Function,
        binary: PathBuf,
        common: &BTreeMap<String, String>,
        runtime_api: &str,
        sink: Sink,
    ) -> Arc<Self> {
        let (events, waiting_events) = mpsc::unbounded_channel();
        let mut environment = common.clone();
        environment.extend(function.environment.clone());
        Arc::new(Self {
            name: function.binary.clone(),
            binary,
            environment,
            timeout: Duration::from_secs(function.timeout_seconds),
            memory_mb: function.memory_mb,
            may_loop: function.may_loop,
            runtime_api: runtime_api.to_owned(),
            sink,
            events,
            waiting_events: tokio::sync::Mutex::new(waiting_events),
            state: Mutex::default(),
            backlog: AtomicUsize::new(0),
        })
    }

    async fn invoke(self: &Arc<Self>, payload: Bytes, trace_id: String) -> Result<Bytes, Failed> {
        let (reply, answer) = oneshot::channel();
        let waiting = self.backlog.fetch_add(1, Ordering::SeqCst) + 1;
        let event = Event { id: Uuid::new_v4().to_string(), payload, trace_id, reply };
        if self.events.send(event).is_err() {
            return Err(Failed::Crashed);
        }
        let crowded = {
            let state = self.lock();
            waiting > state.idle && state.tasks.len() < MAX_INSTANCES
        };
        if crowded {
            self.add_instance();
        }
        answer.await.unwrap_or(Err(Failed::Crashed))
    }

    fn add_instance(self: &Arc<Self>) {
        let pool = Arc::downgrade(self);
        self.lock().tasks.push(tokio::spawn(keep_running(pool)));
    }

    fn start_process(&self, instance: &str) -> std::io::Result<Child> {
        let mut command = Command::new(&self.binary);
        command
            .env_clear()
            .envs(&self.environment)
            .env("AWS_LAMBDA_RUNTIME_API", format!("{}/{}/{instance}", self.runtime_api, self.name))
            .env("AWS_LAMBDA_FUNCTION_NAME", &self.name)
            // Says in every request to AWS who makes it.
            .env("AWS_SDK_UA_APP_ID", format!("{}.{instance}", self.name))
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", self.memory_mb.to_string())
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "local")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", instance)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        // In a group of its own, so that Ctrl-C in a terminal ends the stack first and not the functions under it.
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.spawn()?;
        self.forward(child.stdout.take());
        self.forward(child.stderr.take());
        Ok(child)
    }

    fn forward(&self, output: Option<impl AsyncRead + Unpin + Send + 'static>) {
        let (sink, name) = (self.sink.clone(), self.name.clone());
        tokio::spawn(async move {
            let Some(output) = output else { return };
            let mut lines = BufReader::new(output).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                sink(&name, &line);
            }
        });
    }

    /// Makes an event the business of an instance, and returns its id, payload and trace id. If the instance was
    /// killed or ended while it waited, the event goes back to those that wait for another one.
    fn hand_over(&self, event: Event, instance: String) -> Option<(String, Bytes, String)> {
        let mut state = self.lock();
        if !state.switches.contains_key(&instance) {
            // The pool itself has the other end.
            let _ = self.events.send(event);
            return None;
        }
        state.in_flight.insert(event.id.clone(), InFlight { instance, reply: event.reply });
        Some((event.id, event.payload, event.trace_id))
    }

    fn finish(&self, id: &str, answer: Result<Bytes, Failed>) {
        if let Some(in_flight) = self.lock().in_flight.remove(id) {
            // Whoever asked may have gone away.
            let _ = in_flight.reply.send(answer);
        }
    }

    /// Gives an event up whose time is over, and ends the instance that has it.
    fn end_over_time(&self, id: &str) {
        let mut state = self.lock();
        if let Some(in_flight) = state.in_flight.remove(id) {
            (self.sink)(&self.name, "an invocation took longer than its time-out");
            if let Some(switch) = state.switches.remove(&in_flight.instance) {
                switch.notify_one();
            }
            let _ = in_flight.reply.send(Err(Failed::TimedOut));
        }
    }

    /// Answers for an instance that will not.
    fn fail_all_of(&self, instance: &str, why: &Failed) {
        let mut state = self.lock();
        let ids: Vec<String> =
            state.in_flight.iter().filter(|(_, event)| event.instance == instance).map(|(id, _)| id.clone()).collect();
        for id in ids {
            if let Some(in_flight) = state.in_flight.remove(&id) {
                let _ = in_flight.reply.send(Err(why.clone()));
            }
        }
    }

    /// Answers for an instance that could not even start: whoever waits for one learns of it.
    fn fail_a_waiting_event(&self) {
        // If an instance is waiting for events, it will take them.
        let Ok(mut waiting) = self.waiting_events.try_lock() else { return };
        if let Ok(event) = waiting.try_recv() {
            self.backlog.fetch_sub(1, Ordering::SeqCst);
            let _ = event.reply.send(Err(Failed::Crashed));
        }
    }

    fn lock(&self) -> MutexGuard<'_, PoolState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Before an instance that ended is replaced; it grows while instances end at once by themselves.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// Runs an instance of a function, and another one whenever it ends.
async fn keep_running(pool: Weak<Pool>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let mut killed = false;
        let Some(pool) = pool.upgrade() else { return };
        let mut instance = Uuid::new_v4().simple().to_string();
        instance.truncate(12);
        let started = Instant::now();
        let switch = Arc::new(Notify::new());
        pool.lock().switches.insert(instance.clone(), switch.clone());
        let how = match pool.start_process(&instance) {
            Ok(mut child) => {
                let process = child.id();
                tokio::select! {
                    status = child.wait() => status.map_or_else(|error| error.to_string(), |status| status.to_string()),
                    () = switch.notified() => {
                        let _ = child.kill().await;
                        killed = true;
                        "it was killed".to_owned()
                    }
                    used = more_memory_than(process, pool.memory_mb) => {
                        // From here on it gets no events.
                        pool.lock().switches.remove(&instance);
                        let _ = child.kill().await;
                        format!("it used {used} MB of memory and has {}", pool.memory_mb)
                    }
                }
            }
            Err(error) => error.to_string(),
        };
        pool.lock().switches.remove(&instance);
        pool.fail_all_of(&instance, &Failed::Crashed);
        let (came_up, is_replaced) = {
            let mut state = pool.lock();
            (state.ready.remove(&instance), state.replaced.remove(&instance))
        };
        if !came_up && !is_replaced {
            pool.fail_a_waiting_event();
        }
        pause = if killed || started.elapsed() > Duration::from_secs(2) {
            FIRST_PAUSE
        } else {
            (pause * 2).min(Duration::from_secs(5))
        };
        (pool.sink)(&pool.name, &format!("the function ended ({how}); it is started again"));
        drop(pool);
        tokio::time::sleep(pause).await;
    }
}

/// Waits until a process uses more memory than it may, and returns how many megabytes.
async fn more_memory_than(process: Option<u32>, max_mb: u64) -> u64 {
    loop {
        tokio::time::sleep(GLANCE).await;
        // Where there is no such file, nobody is killed for it.
        let status =
            process.and_then(|id| std::fs::read_to_string(format!("/proc/{id}/status")).ok()).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix("kB"));
        let used = peak.and_then(|kilobytes| kilobytes.trim().parse::<u64>().ok()).unwrap_or_default() / 1024;
        if used > max_mb {
            return used;
        }
    }
}

/// Counts an instance as idle for as long as it waits for an event, even if it goes away meanwhile.
struct Idle<'a>(&'a Pool);

impl<'a> Idle<'a> {
    fn new(pool: &'a Pool) -> Self {
        pool.lock().idle += 1;
        Self(pool)
    }
}

impl Drop for Idle<'_> {
    fn drop(&mut self) {
        self.0.lock().idle -= 1;
    }
}

async fn next(State(lambda): State<Arc<Lambda>>, Path((function, instance)): Path<(String, String)>) -> Response {
    let Some(pool) = lambda.pools.get(&function) else { return StatusCode::NOT_FOUND.into_response() };
    pool.lock().ready.insert(instance.clone());
    let idle = Idle::new(pool);
    let Some(event) = pool.waiting_events.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    drop(idle);
    let Some((id, payload, trace_id)) = pool.hand_over(event, instance) else {
        return StatusCode::GONE.into_response();
    };
    pool.backlog.fetch_sub(1, Ordering::SeqCst);
    let (watched, of_event, timeout) = (pool.clone(), id.clone(), pool.timeout);
    tokio::spawn(async move {
        tokio::time::sleep(timeout).await;
        watched.end_over_time(&of_event);
    });
    let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + timeout;
    let headers = [
        ("lambda-runtime-aws-request-id", id),
        ("lambda-runtime-deadline-ms", deadline.as_millis().to_string()),
        ("lambda-runtime-invoked-function-arn", format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}")),
        ("lambda-runtime-trace-id", trace_id),
        ("content-type", "application/json".to_owned()),
    ];
    (headers, payload).into_response()
}

async fn response(
    State(lambda): State<Arc<Lambda>>,
    Path((function, _, id)): Path<(String, String, String)>,
    body: Bytes,
) -> StatusCode {
    if let Some(pool) = lambda.pools.get(&function) {
        let answer = taken(body);
        if let Err(Failed::Error(message)) = &answer {
            (pool.sink)(&function, &format!("an invocation failed: {message}"));
        }
        pool.finish(&id, answer);
    }
    StatusCode::ACCEPTED
}

/// Refuses an answer that is larger than Lambda takes.
fn taken(answer: Bytes) -> Result<Bytes, Failed> {
    let bytes = answer.len();
    let error = || Failed::Error(format!("Function.ResponseSizeTooLarge: the answer has {bytes} bytes"));
    if bytes > MAX_ANSWER { Err(error()) } else { Ok(answer) }
}

async fn error(
    State(lambda): State<Arc<Lambda>>,
    Path((function, _, id)): Path<(String, String, String)>,
    body: Bytes,
) -> StatusCode {
    if let Some(pool) = lambda.pools.get(&function) {
        let message = String::from_utf8_lossy(&body).into_owned();
        (pool.sink)(&function, &format!("an invocation failed: {message}"));
        pool.finish(&id, Err(Failed::Error(message)));
    }
    StatusCode::ACCEPTED
}

async fn init_error(
    State(lambda): State<Arc<Lambda>>,
    Path((function, _)): Path<(String, String)>,
    body: Bytes,
) -> StatusCode {
    if let Some(pool) = lambda.pools.get(&function) {
        (pool.sink)(&function, &format!("the function can't start: {}", String::from_utf8_lossy(&body)));
    }
    StatusCode::ACCEPTED
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_at_most_six_megabytes() {
        assert!(taken(vec![0; MAX_ANSWER].into()).is_ok());
        assert!(matches!(taken(vec![0; MAX_ANSWER + 1].into()), Err(Failed::Error(_))));
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_process_that_uses_more_memory_than_it_may_is_noticed() {
        let held = std::hint::black_box(vec![1_u8; 40 * 1024 * 1024]);

        let used = more_memory_than(Some(std::process::id()), 30).await;

        assert!(used >= 40, "{used} MB, of which {} bytes are held", held.len());
    }
}
