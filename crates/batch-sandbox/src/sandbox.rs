//! The state of a sandbox, shared by all its connections, and direct access to it for a program that runs it in-process.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use crate::endpoint::Endpoint;
use crate::fault::{FaultPlan, FaultReport, FaultRule};
use crate::options::Options;
use crate::project::Project;
use crate::rate_limits::{Limit, RateLimits};
use crate::request_log::{LoggedRequest, RequestLog};
use crate::strict::{Violation, Violations};
use crate::sync::locked;

/// The state of a sandbox.
#[derive(Debug)]
pub struct Sandbox {
    pub(crate) options: Options,
    projects: BTreeMap<String, Arc<Project>>,
    faults: Mutex<FaultPlan>,
    log: Mutex<RequestLog>,
    violations: Mutex<Violations>,
    next_request: AtomicU64,
}

impl Sandbox {
    pub(crate) fn new(options: Options) -> Self {
        let now = options.clock.elapsed();
        let projects = options.projects.iter().map(|credentials| {
            let limits = RateLimits::new(options.update_limit, options.mass_update_limit, now);
            let key = credentials.project_key.clone();
            let project = Project::new(key.clone(), credentials.rest_api_key.clone(), limits);
            (key, Arc::new(project))
        });
        Self {
            projects: projects.collect(),
            faults: Mutex::default(),
            log: Mutex::new(RequestLog::holding(options.logged_requests, options.kept_bodies)),
            violations: Mutex::default(),
            next_request: AtomicU64::new(0),
            options,
        }
    }

    /// The project of this key.
    pub fn project(&self, key: &str) -> Option<&Arc<Project>> {
        self.projects.get(key)
    }

    /// All projects, by key.
    pub fn projects(&self) -> impl Iterator<Item = &Arc<Project>> {
        self.projects.values()
    }

    /// Puts these fault rules in the place of all others, with counts of zero.
    pub fn set_faults(&self, rules: Vec<FaultRule>) {
        locked(&self.faults).replace(rules);
    }

    /// The fault rules in force and how often each fired.
    pub fn faults(&self) -> Vec<FaultReport> {
        locked(&self.faults).reports()
    }

    pub(crate) fn fault_for(&self, endpoint: Endpoint, project: &str) -> Option<crate::fault::FaultKind> {
        locked(&self.faults).decide(endpoint, project)
    }

    /// Changes a rate limit of a project; its bucket is full afterwards.
    pub fn set_limit(&self, project: &Project, endpoint: Endpoint, limit: Limit) {
        let now = self.options.clock.elapsed();
        locked(&project.rate_limits).set(endpoint, limit, now);
    }

    /// Calls from this sequence number on, as far as the log still holds them, in the order in which they ended.
    pub fn requests(&self, from: u64, limit: usize) -> Vec<LoggedRequest> {
        locked(&self.log).entries(from, limit)
    }

    /// The body of a call as it was sent, if it is still kept.
    pub fn request_body(&self, sequence: u64) -> Option<Bytes> {
        locked(&self.log).body(sequence)
    }

    /// What strict mode recorded.
    pub fn violations(&self) -> Violations {
        locked(&self.violations).clone()
    }

    /// Forgets the content, counts and log of one project or all of them, and all violations. Faults and limits stay.
    pub fn reset(&self, project: Option<&Project>) {
        match project {
            Some(project) => project.reset(),
            None => self.projects().for_each(|project| project.reset()),
        }
        locked(&self.log).clear(project.map(Project::key));
        *locked(&self.violations) = Violations::default();
    }

    pub(crate) fn next_request(&self) -> u64 {
        self.next_request.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn record(&self, entry: LoggedRequest, body: Option<Bytes>) {
        if let Some(project) = entry.project.as_deref().and_then(|key| self.project(key)) {
            project.count(&entry);
        }
        locked(&self.log).push(entry, body);
    }

    /// In strict mode only.
    pub(crate) fn violation(&self, violation: Violation) {
        if self.options.strict {
            locked(&self.violations).push(violation);
        }
    }
}
