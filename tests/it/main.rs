//! End-to-end tests: every test has a stack of its own, with the real binaries, on free ports.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on fails")]

mod api;
mod automations;
mod brand;
mod contacts;
mod cost;
mod crashes;
mod demand;
mod docs;
mod drain;
mod dry_run;
mod email_events;
mod examples;
mod expiry;
mod feed_schedules;
mod feeds;
mod histories;
mod history;
mod imports;
mod keys;
mod limits;
mod log;
mod main_job;
mod malformed;
mod matching;
mod moving_in;
mod observed;
mod openapi;
mod operator;
mod outlook;
mod permissions;
mod privacy;
mod queues;
mod races;
mod redrive;
mod repeated_levels;
mod restock;
mod secrets;
mod sending;
mod stack;
mod sweep;
mod templates;
mod unsubscribe;
mod upgrade;
mod waves;
