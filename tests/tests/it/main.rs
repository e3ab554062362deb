//! Tests of the whole system, in one binary so that it is linked once.

mod arrows;
mod faults;
mod http;
mod import;
mod model;
mod mutation;
mod operate;
mod readme;
