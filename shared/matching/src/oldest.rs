use restock_domain::{Scope, Sku, Subscription};
use restock_store::{Cursor, Error, Store};
use std::collections::{BTreeMap, VecDeque};

/// The fewest subscriptions that are read of a group: about what one read unit covers.
pub const MIN_READ: usize = 16;

/// Those whom a scope covers, as an index shows them: oldest first within each group, and read oldest first across
/// them.
pub struct OldestFirst(BTreeMap<String, Group>);

/// A group, with those that were read of it.
struct Group {
    read: VecDeque<Subscription>,
    /// Behind the last who was gone through.
    at: Option<Cursor>,
    /// Behind those that were read, if there may be more.
    more: Option<Option<Cursor>>,
}

impl OldestFirst {
    /// Begins where each group says, `None` for its beginning.
    pub fn from(groups: &BTreeMap<String, Option<Cursor>>) -> Self {
        let group = |at: &Option<Cursor>| Group { read: VecDeque::new(), at: at.clone(), more: Some(at.clone()) };
        Self(groups.iter().map(|(name, at)| (name.clone(), group(at))).collect())
    }

    /// Takes the oldest of all groups, at most so many, with their groups. A group ends with whoever comes too late.
    pub async fn read(
        &mut self,
        store: &Store,
        (sku, scope): (&Sku, &Scope),
        most: usize,
        comes_too_late: impl Fn(&Subscription) -> bool,
    ) -> Result<Vec<(String, Subscription)>, Error> {
        let limit = most.div_ceil(self.0.len().max(1)).max(MIN_READ) as i32;
        let mut next = Vec::new();
        while next.len() < most {
            for (name, group) in &mut self.0 {
                while group.read.is_empty()
                    && let Some(after) = group.more.take()
                {
                    let page = store.page_of_group(sku, scope, name, after, limit).await?;
                    group.read = page.subscriptions.into();
                    group.more = page.next.map(Some);
                    if group.read.back().is_some_and(&comes_too_late) {
                        group.read.retain(|found| !comes_too_late(found));
                        group.more = None;
                    }
                }
            }
            let heads = self.0.iter().filter_map(|(name, group)| Some((group.read.front()?.created_on, name.clone())));
            let Some((_, oldest)) = heads.min() else { break };
            let subscription = self.0.get_mut(&oldest).and_then(|group| group.read.pop_front());
            next.extend(subscription.map(|subscription| (oldest, subscription)));
        }
        Ok(next)
    }

    /// Notes that a group was gone through up to here.
    pub fn note_passed(&mut self, group: String, up_to: Cursor) {
        self.0.entry(group).and_modify(|group| group.at = Some(up_to));
    }

    /// Puts those back, in their order, who were read and not gone through.
    pub fn put_back(&mut self, left: Vec<(String, Subscription)>) {
        for (name, subscription) in left.into_iter().rev() {
            self.0.entry(name).and_modify(|group| group.read.push_front(subscription));
        }
    }

    /// Returns where each group goes on, without those in which nobody is left.
    pub fn go_on(self) -> BTreeMap<String, Option<Cursor>> {
        self.0.into_iter().filter_map(|(name, group)| Some((name, group.goes_on()?))).collect()
    }

    /// Returns true if nobody is left.
    pub fn is_over(&self) -> bool {
        self.0.values().all(|group| group.read.is_empty() && group.more.is_none())
    }
}

impl Group {
    /// Returns where it goes on, or `None` if nobody is left.
    fn goes_on(self) -> Option<Option<Cursor>> {
        match self.more {
            _ if !self.read.is_empty() => Some(self.at),
            more => more,
        }
    }
}
