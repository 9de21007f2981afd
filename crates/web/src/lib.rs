//! The HTTP API and the dashboard: thin skins over the operations of control.
