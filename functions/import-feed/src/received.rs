//! How fast the server of a feed sends: one that is too slow is given up, as the import of another locale may wait for
//! its place.

use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// Until the first byte of the file, over all redirects: some servers write the file while one waits.
const FIRST_BYTE_WITHIN: Duration = Duration::from_secs(60);
/// From then on, a server has to send so much in that time.
const MIN_BYTES: u64 = 512 * 1024;
const WINDOW: Duration = Duration::from_secs(30);
/// How often that is looked at.
const GLANCE: Duration = Duration::from_secs(5);

/// Stands in place of a number of bytes once nobody waits for the download.
const GIVEN_UP: u64 = u64::MAX;

/// The bytes of a download so far.
#[derive(Default)]
pub struct Received(AtomicU64);

impl Received {
    /// Waits until the server is too slow, ends the download, and returns the reason.
    pub async fn stalls(&self) -> String {
        let begin = Instant::now();
        while self.0.load(Ordering::Relaxed) == 0 {
            tokio::time::sleep(GLANCE).await;
            if begin.elapsed() >= FIRST_BYTE_WITHIN && self.0.load(Ordering::Relaxed) == 0 {
                return self.give_up(format!("its server sent nothing in {} seconds", FIRST_BYTE_WITHIN.as_secs()));
            }
        }
        loop {
            let before = self.0.load(Ordering::Relaxed);
            tokio::time::sleep(WINDOW).await;
            if self.0.load(Ordering::Relaxed) - before < MIN_BYTES {
                let (kilobytes, seconds) = (MIN_BYTES / 1024, WINDOW.as_secs());
                return self.give_up(format!("its server sent less than {kilobytes} KB in {seconds} seconds"));
            }
        }
    }

    fn give_up(&self, reason: String) -> String {
        self.0.store(GIVEN_UP, Ordering::Relaxed);
        reason
    }

    fn add(&self, bytes: usize) -> io::Result<()> {
        let add = |sofar: u64| (sofar != GIVEN_UP).then(|| sofar + bytes as u64);
        let added = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        added.map(drop).map_err(|_| io::Error::other("the download was given up"))
    }
}

/// Counts what is read.
pub struct Counted<'a, R>(pub R, pub &'a Received);

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.0.read(buffer)?;
        self.1.add(bytes).map(|()| bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns why a server is given up that sends its first byte and then so many a second, if it is in ten minutes.
    async fn given_up(first_byte: u64, bytes_a_second: usize) -> Option<String> {
        let received = Received::default();
        let sends = async {
            tokio::time::sleep(Duration::from_secs(first_byte)).await;
            while received.add(bytes_a_second).is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        tokio::select! {
            reason = received.stalls() => Some(reason),
            () = sends => None,
            () = tokio::time::sleep(Duration::from_secs(600)) => None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_is_given_up_that_is_silent_for_a_minute_or_trickles_and_no_other() {
        assert_eq!(given_up(59, 100_000).await, None);
        assert_eq!(given_up(61, 100_000).await.as_deref(), Some("its server sent nothing in 60 seconds"));
        assert_eq!(given_up(1, 3_000).await.as_deref(), Some("its server sent less than 512 KB in 30 seconds"));
        assert_eq!(given_up(1, 20_000).await, None);
    }
}
