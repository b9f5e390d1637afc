//! The runtimes of one server: that of the service, and one for each worker. The tasks that `tokio::spawn` made in them
//! are counted, so that one that never ends is seen. Local ones are not (tokio keeps those in lists of their own): the
//! service's few lasting parts, and what actix spawns for each connection, which is counted as a connection.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Handle;

#[derive(Clone, Debug, Default)]
pub(crate) struct Runtimes(Arc<Mutex<Vec<Handle>>>);

impl Runtimes {
    /// Counts the tasks of this runtime too.
    pub(super) fn add_current(&self) {
        let mut runtimes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        runtimes.push(Handle::current());
    }

    /// How many of those tasks there are now.
    pub(crate) fn tasks(&self) -> usize {
        let runtimes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        runtimes
            .iter()
            .map(|runtime| runtime.metrics().num_alive_tasks())
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_counts_until_it_ends() {
        let runtimes = Runtimes::default();
        runtimes.add_current();
        assert_eq!(runtimes.tasks(), 0);
        let task = tokio::spawn(std::future::pending::<()>());
        assert_eq!(runtimes.tasks(), 1);
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        assert_eq!(runtimes.tasks(), 0);
    }
}
