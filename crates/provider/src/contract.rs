//! What every provider promises, as one suite.
