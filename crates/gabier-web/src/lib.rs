//! The HTTP face: listener, REST, OpenAPI and its pages.
//!
//! [`Web`] serves a [`gabier_tool::Dispatch`]: a route per tool, the OpenAPI document, its pages, health and metrics.
//! Everything passes one front first, routes that other faces mount included, so that no route can forget a check.

mod accept;
mod answer;
mod call;
mod connections;
mod docs_ui;
mod front;
mod health;
mod html;
mod landing;
mod list;
mod listener;
mod metrics;
mod openapi;
mod options;
mod pace;
mod query;
mod reference;
mod rest;
mod stream;
mod tasks;
mod tls;
mod web;

pub use listener::Bound;
pub use metrics::Metrics;
pub use options::{Limits, PerMinute, ShortRoute, TlsFiles, WebOptions};
pub use web::{Reload, Web};
