//! How far an import has come, for whoever looks at the feed meanwhile.

use std::pin::pin;
use std::time::Duration;

/// The pause between two writes: often enough for who watches, and 360 writes an hour cost nothing worth saving.
pub const SHOWN_EVERY: Duration = Duration::from_secs(10);

/// Waits for the work, and meanwhile shows again and again how far it is. What is being shown is waited for, so that it
/// does not come after how the work ended.
pub async fn shown<T>(work: impl Future<Output = T>, every: Duration, show: impl AsyncFn()) -> T {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(every) => show().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[tokio::test(start_paused = true)]
    async fn work_that_takes_long_is_shown_until_it_is_done() {
        let times = Cell::new(0);
        let work = async {
            tokio::time::sleep(Duration::from_secs(35)).await;
            "done"
        };

        let done = shown(work, Duration::from_secs(10), async || times.set(times.get() + 1)).await;

        assert_eq!((done, times.get()), ("done", 3));
    }
}
