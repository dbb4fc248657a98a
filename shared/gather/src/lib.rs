//! Makes one request of what several tasks ask for at the same time.
//!
//! Code then goes on to say what happens to one recipient, one event or one key, and AWS is asked for many at once.
//!
//! Batches are full on a runtime of one thread, which is what the functions have. In `block_on` of another one, a task
//! that yields is woken at once, and batches may leave before all have asked.

use futures::future::{BoxFuture, Shared};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Gathers questions into batches. A batch leaves once every task that could ask has asked; it waits for no clock, so
/// the same tasks make the same batches.
///
/// `G` is what the questions of a batch have in common, `A` is a question, and `R` an answer.
pub struct Gather<G, A, R> {
    max_weight: usize,
    second: Second,
    open: Mutex<Vec<(G, Batch<A, R>)>>,
}

/// A question.
pub struct Ask<G, A> {
    /// Only questions of equal groups go together.
    pub group: G,
    /// What it is about. A batch has one question about each thing.
    pub about: String,
    /// Its part of the greatest weight of a batch.
    pub weight: usize,
    pub asked: A,
}

/// What becomes of a second question about the same thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Second {
    /// It gets the answer to the first.
    Shares,
    /// It goes into another batch.
    Waits,
}

struct Batch<A, R> {
    /// `None` once it has left.
    asked: Arc<Mutex<Option<Asked<A>>>>,
    answers: Answers<R>,
}

struct Asked<A> {
    /// Each with what those hold who wait for its answer: it is left out once all of them have given up.
    all: Vec<(Weak<()>, A)>,
    places: HashMap<String, usize>,
    weight: usize,
    /// How often was asked, also for what somebody else had asked for.
    times: usize,
}

/// A question in its batch.
struct Joined<R> {
    place: usize,
    /// Held as long as somebody waits for the answer.
    _waits: Arc<()>,
    answers: Answers<R>,
}

/// By the places of the questions.
type Answers<R> = Shared<BoxFuture<'static, Arc<BTreeMap<usize, R>>>>;

impl<G: PartialEq + Clone, A: Send + 'static, R: Clone + Send + Sync + 'static> Gather<G, A, R> {
    pub fn new(max_weight: usize, second: Second) -> Self {
        Self { max_weight, second, open: Mutex::default() }
    }

    /// Returns the answer to a question. If it is the first of its batch, `send` is what will ask: it answers each
    /// question, in their order.
    pub async fn ask<F>(&self, ask: Ask<G, A>, send: F) -> R
    where
        F: FnOnce(Vec<A>) -> BoxFuture<'static, Vec<R>> + Send + 'static,
    {
        let Joined { place, _waits, answers } = self.join(ask, send);
        answers.await[&place].clone()
    }

    fn join<F>(&self, ask: Ask<G, A>, send: F) -> Joined<R>
    where
        F: FnOnce(Vec<A>) -> BoxFuture<'static, Vec<R>> + Send + 'static,
    {
        let mut open = lock(&self.open);
        open.retain(|(_, batch)| lock(&batch.asked).is_some());
        let joins = |(of, batch): &&(G, Batch<A, R>)| {
            let of_batch = lock(&batch.asked);
            let takes = of_batch.as_ref().is_some_and(|gathered| match gathered.place_of(&ask.about) {
                Some(_) => self.second == Second::Shares,
                None => gathered.weight + ask.weight <= self.max_weight,
            });
            takes && *of == ask.group
        };
        let batch = open.iter().find(joins).map(|(_, batch)| (batch.asked.clone(), batch.answers.clone()));
        let (asked, answers) = batch.unwrap_or_else(|| {
            let batch = Batch::new(send);
            let joined = (batch.asked.clone(), batch.answers.clone());
            open.push((ask.group.clone(), batch));
            joined
        });
        let (place, waits) = lock(&asked).get_or_insert_default().place(ask);
        Joined { place, _waits: waits, answers }
    }
}

impl<A: Send + 'static, R: Send + Sync + 'static> Batch<A, R> {
    /// Returns a batch without a question yet.
    fn new<F>(send: F) -> Self
    where
        F: FnOnce(Vec<A>) -> BoxFuture<'static, Vec<R>> + Send + 'static,
    {
        let asked = Arc::new(Mutex::new(Some(Asked::default())));
        let leaving = asked.clone();
        let answers = async move {
            let asked = || lock(&leaving).as_ref().map_or(0, |gathered| gathered.times);
            let mut before = 0;
            // Leaves when nobody has asked since the runtime last came round. Every task that asks polls this future;
            // within a set, only the runtime's wake counts.
            while asked() > before {
                before = asked();
                FuturesUnordered::from_iter([tokio::task::yield_now()]).next().await;
            }
            let gathered = lock(&leaving).take().map(|gathered| gathered.all).unwrap_or_default();
            let (mut places, mut all) = (Vec::new(), Vec::new());
            for (place, (waits, asked)) in gathered.into_iter().enumerate() {
                if waits.strong_count() > 0 {
                    places.push(place);
                    all.push(asked);
                }
            }
            Arc::new(places.into_iter().zip(send(all).await).collect())
        };
        Self { asked, answers: answers.boxed().shared() }
    }
}

impl<A> Asked<A> {
    /// Returns the place of a question that somebody waits for.
    fn place_of(&self, about: &str) -> Option<(usize, Arc<()>)> {
        let place = *self.places.get(about)?;
        Some((place, self.all[place].0.upgrade()?))
    }

    /// Returns the place of a question: that of the first one about the same thing, or a new one.
    fn place<G>(&mut self, ask: Ask<G, A>) -> (usize, Arc<()>) {
        let Ask { about, weight, asked, .. } = ask;
        self.times += 1;
        self.place_of(&about).unwrap_or_else(|| {
            let (place, waits) = (self.all.len(), Arc::new(()));
            self.all.push((Arc::downgrade(&waits), asked));
            self.places.insert(about, place);
            self.weight += weight;
            (place, waits)
        })
    }
}

impl<A> Default for Asked<A> {
    fn default() -> Self {
        Self { all: Vec::new(), places: HashMap::new(), weight: 0, times: 0 }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::future::join_all;

    /// Counts requests, and answers each question with itself and the number of its request.
    #[derive(Default, Clone)]
    struct Server(Arc<Mutex<Vec<Vec<u32>>>>);

    impl Server {
        fn answer(&self) -> impl FnOnce(Vec<u32>) -> BoxFuture<'static, Vec<(u32, usize)>> + Send + 'static {
            let requests = self.0.clone();
            move |asked| {
                async move {
                    tokio::task::yield_now().await;
                    let mut requests = lock(&requests);
                    requests.push(asked.clone());
                    asked.into_iter().map(|one| (one, requests.len())).collect()
                }
                .boxed()
            }
        }

        fn sizes(&self) -> Vec<usize> {
            lock(&self.0).iter().map(Vec::len).collect()
        }
    }

    fn ask(group: u8, asked: u32) -> Ask<u8, u32> {
        Ask { group, about: asked.to_string(), weight: 1, asked }
    }

    #[tokio::test]
    async fn a_question_that_many_share_waits_for_those_who_ask_a_moment_later() {
        let (gather, server) = (Gather::new(10, Second::Shares), Server::default());
        let one = async |late: bool| {
            if late {
                FuturesUnordered::from_iter([tokio::task::yield_now()]).next().await;
            }
            gather.ask(ask(0, 7), server.answer()).await
        };

        // As with questions of their own, the second one keeps the batch until the runtime has come round once more.
        join_all([false, false, true].map(one)).await;

        assert_eq!(server.sizes(), [1]);
    }

    #[tokio::test]
    async fn what_is_asked_at_the_same_time_is_one_request_for_each_group_and_as_many_as_it_holds() {
        let (gather, server) = (Gather::new(10, Second::Waits), Server::default());
        let one = |n: u32| gather.ask(ask((n % 2) as u8, n), server.answer());

        let answers = join_all((0..24).map(one)).await;

        assert_eq!(answers.iter().map(|(asked, _)| *asked).collect::<Vec<_>>(), (0..24).collect::<Vec<_>>());
        let mut sizes = server.sizes();
        sizes.sort_unstable();
        assert_eq!(sizes, [2, 2, 10, 10]);
    }

    #[tokio::test]
    async fn tasks_that_go_on_together_ask_together_again() {
        let (gather, server) = (Gather::new(100, Second::Waits), Server::default());
        let twice = |n: u32| {
            let (gather, server) = (&gather, &server);
            async move {
                gather.ask(ask(0, n), server.answer()).await;
                gather.ask(ask(0, n), server.answer()).await
            }
        };

        join_all((0..50).map(twice)).await;

        assert_eq!(server.sizes(), [50, 50]);
    }

    #[tokio::test]
    async fn tasks_within_sets_of_tasks_ask_together_too() {
        let (gather, server) = (Gather::new(1_000, Second::Waits), Server::default());
        let several = async |n: u32| {
            for _ in 0..3 {
                let asks = (0..4).map(|key| gather.ask(ask(0, 4 * n + key), server.answer()));
                futures::stream::iter([join_all(asks)]).buffer_unordered(8).collect::<Vec<_>>().await;
            }
        };

        join_all((0..4).map(|batch| join_all((0..50).map(|n| several(50 * batch + n)).collect::<Vec<_>>()))).await;

        assert_eq!(server.sizes(), [800, 800, 800]);
    }

    #[tokio::test]
    async fn a_second_question_about_a_thing_shares_the_answer_or_waits_for_another_batch() {
        for (second, sizes) in [(Second::Shares, vec![1]), (Second::Waits, vec![1, 1])] {
            let (gather, server) = (Gather::new(10, second), Server::default());

            join_all((0..2).map(|_| gather.ask(ask(0, 7), server.answer()))).await;

            assert_eq!(server.sizes(), sizes);
        }
    }

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_is_not_asked_and_the_others_are_answered() {
        let (gather, server) = (Gather::new(10, Second::Waits), Server::default());
        let mut first = Box::pin(gather.ask(ask(0, 1), server.answer()));
        assert!(futures::poll!(&mut first).is_pending());
        let second = gather.ask(ask(0, 2), server.answer());

        drop(first);

        assert_eq!(second.await, (2, 1));
        assert_eq!(server.sizes(), [1]);
    }
}
