//! What subscribers are sent: the body of a request, and its signature. Pure, but for the rows that the body is made of.
//!
//! The form is that of Standard Webhooks (standardwebhooks.com), so that receivers can verify it with a library.

mod body;
mod signature;

pub(crate) use body::timestamp;
pub(crate) use signature::{SECRET_BYTES, Signed, secret_text};
