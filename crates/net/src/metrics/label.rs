//! Labels: what tells the series of one metric apart.

use std::marker::PhantomData;

/// A label's value, one of a fixed number.
pub trait Label: Copy + 'static {
    /// All of them.
    const ALL: &'static [Self];

    /// Its place in [`Self::ALL`].
    fn index(self) -> usize;

    /// How it is written.
    fn text(self) -> &'static str;
}

/// One `M` for each value of a label.
#[derive(Debug)]
pub struct Each<L, M> {
    all: Box<[M]>,
    label: PhantomData<fn(L)>,
}

impl<L: Label, M: Default> Default for Each<L, M> {
    fn default() -> Self {
        Self::new(M::default)
    }
}

impl<L: Label, M> Each<L, M> {
    /// Made one by one.
    pub fn new(one: impl Fn() -> M) -> Self {
        Self { all: L::ALL.iter().map(|_| one()).collect(), label: PhantomData }
    }

    /// That of a value.
    pub fn of(&self, value: L) -> &M {
        &self.all[value.index()]
    }

    /// All, as the label's values are written.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &M)> {
        L::ALL.iter().map(|value| value.text()).zip(&self.all)
    }
}
