//! "Did you mean …?"

/// Below this similarity (0 to 1) a candidate would puzzle more than it helps.
const LEAST_SIMILARITY: f64 = 0.6;

/// The candidate that a person most likely meant by `written`, if any is near enough.
pub(crate) fn nearest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = fold(written);
    candidates
        .into_iter()
        .filter(|candidate| *candidate != written)
        .map(|candidate| (similarity(&wanted, &fold(candidate)), candidate))
        .filter(|(similarity, _)| *similarity >= LEAST_SIMILARITY)
        // On equal similarity the first candidate wins, so that the answer is stable.
        .fold(None, |best: Option<(f64, &str)>, next| match best {
            Some(best) if best.0 >= next.0 => Some(best),
            _ => Some(next),
        })
        .map(|(_, candidate)| candidate)
}

/// Letter case and the kind of separator are what people confuse most.
fn fold(name: &str) -> String {
    name.to_lowercase().replace(['-', ' '], "_")
}

fn similarity(wanted: &str, candidate: &str) -> f64 {
    if wanted == candidate {
        return 1.0;
    }
    // `orders` for `public.orders`, or the other way round.
    let qualified = |long: &str, short: &str| {
        !short.is_empty() && long.strip_suffix(short).is_some_and(|prefix| prefix.ends_with('.'))
    };
    if qualified(candidate, wanted) || qualified(wanted, candidate) {
        return 0.9;
    }
    strsim::normalized_damerau_levenshtein(wanted, candidate)
}

/// `did you mean `x`?`, or the list of what is possible when nothing is near.
pub(crate) fn did_you_mean(written: &str, candidates: &[&str], noun: &str) -> Option<String> {
    if let Some(candidate) = nearest(written, candidates.iter().copied()) {
        return Some(format!("did you mean `{candidate}`?"));
    }
    if candidates.is_empty() {
        return None;
    }
    Some(format!("{noun}: {}", listed(candidates)))
}

/// The most names that a help text lists.
const LISTED: usize = 20;

/// Names in backticks, with commas, cut after [`LISTED`].
pub(crate) fn listed(names: &[&str]) -> String {
    let mut shown: Vec<String> = names.iter().take(LISTED).map(|name| format!("`{name}`")).collect();
    if names.len() > LISTED {
        shown.push(format!("and {} more", names.len() - LISTED));
    }
    shown.join(", ")
}
