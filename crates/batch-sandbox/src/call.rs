//! One call on its way through the sandbox. It is recorded when it ends, however it ends.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::answer::Refusal;
use crate::request_log::LoggedRequest;
use crate::sandbox::Sandbox;
use crate::strict::{Violation, ViolationKind};

/// A call that is being answered. Dropping it records it: also when the client leaves first.
pub(crate) struct Call {
    sandbox: Arc<Sandbox>,
    started: Duration,
    pub(crate) entry: LoggedRequest,
    pub(crate) body: Option<Bytes>,
}

impl Call {
    pub(crate) fn arrived(sandbox: Arc<Sandbox>) -> Self {
        Self {
            started: sandbox.options.clock.elapsed(),
            entry: LoggedRequest {
                sequence: sandbox.next_request(),
                received_at: sandbox.options.clock.wall(),
                duration_us: 0,
                project: None,
                endpoint: None,
                version: None,
                bytes: 0,
                operations: None,
                events: None,
                admitted_us: None,
                applied: false,
                status: None,
                error_code: None,
                partial_errors: 0,
                fault: None,
            },
            body: None,
            sandbox,
        }
    }

    pub(crate) fn sandbox(&self) -> &Arc<Sandbox> {
        &self.sandbox
    }

    pub(crate) fn answered(&mut self, status: u16) {
        self.entry.status = Some(status);
    }

    pub(crate) fn refused(&mut self, refusal: &Refusal) {
        self.answered(refusal.status.as_u16());
        self.entry.error_code = Some(refusal.code.clone());
        let is_on_demand = self.entry.fault.as_deref() == Some("status");
        let is_the_clients_doing = matches!(refusal.status.as_u16(), 400 | 413 | 415);
        if let (Some(project), true, false) = (&self.entry.project, is_the_clients_doing, is_on_demand) {
            self.sandbox.violation(Violation {
                request: self.entry.sequence,
                project: project.clone(),
                kind: ViolationKind::RefusedCall,
                reason: refusal.message.clone(),
                error: None,
            });
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let passed = self.sandbox.options.clock.elapsed().saturating_sub(self.started);
        self.entry.duration_us = u64::try_from(passed.as_micros()).unwrap_or(u64::MAX);
        self.sandbox.record(self.entry.clone(), self.body.take());
    }
}
