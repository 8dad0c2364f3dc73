//! The workspace itself: which crate may use which, what comes from outside, and under which licences.

mod arrows;
mod licences;
mod metadata;
mod outside;
