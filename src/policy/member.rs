//! The number of a member within its group.

/// A member of a group: one record set. Members are numbered in the order of the group's record
/// sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MemberIndex(pub u16);

impl MemberIndex {
    /// The items of a group, each with the number of its member.
    #[inline]
    pub fn number<I: IntoIterator>(items: I) -> impl Iterator<Item = (MemberIndex, I::Item)> {
        (0..).map(MemberIndex).zip(items)
    }
}

impl From<MemberIndex> for usize {
    #[inline]
    fn from(member: MemberIndex) -> usize {
        usize::from(member.0)
    }
}
