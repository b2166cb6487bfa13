//! `longshore serve`: real daemons, killed, drained, reloaded and asked.

mod accelerated;
mod commands;
mod ending;
mod failing;
mod full_disk;
mod page;
mod reloading;
mod scene;
mod starting;
mod watching;
