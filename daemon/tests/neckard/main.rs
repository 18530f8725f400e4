//! Tests of the daemon from outside: the built program is run, beside real exporters, Kafka, databases and
//! browsers where it takes them. One program for all of them: they wait more than they compute, and link once.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on is a failed test")]

mod access;
mod check;
mod conservation;
mod demo;
mod doctor;
mod exporters;
mod files;
mod http;
mod influx;
mod labels;
mod metrics;
mod mistakes;
mod names;
mod page;
mod push;
mod remote_write;
mod restart;
mod snmp;
mod split;
mod spool;
mod stdout;
mod support;
mod torture;
mod traffic;
