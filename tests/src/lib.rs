//! Nothing here: the tests are in `it/`, one binary that links once.
