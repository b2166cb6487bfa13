//! The fault proxy itself: without a plan it is the plugin that it stands for.

use longshore_tests::{Result, fault_proxy::FaultProxies, shop::Target};

use crate::{report::Report, scene::Scene};

fn proxies(scene: &Scene) -> Result<FaultProxies> {
    FaultProxies::install(
        scene.longshore.folder(),
        "longshore-source-postgresql",
        "longshore-destination-batch",
    )
}

#[tokio::test]
async fn a_sync_through_proxies_is_the_same_sync() -> Result<()> {
    let scene = Scene::open(500, 0).await?;
    let proxies = proxies(&scene)?;
    scene.configure(
        Target::Profiles,
        &scene.configuration(Target::Profiles).through(&proxies),
    )?;
    let report = scene.sync_well(Target::Profiles).await?;
    assert_eq!(report.only_table().delivered, 500, "{report:?}");
    scene.assert_exact(Target::Profiles).await?;
    assert!(proxies.fired()?.is_none());
    scene.longshore.leaves_nothing_running().await
}

#[tokio::test]
async fn a_typed_error_crosses_a_proxy_without_loss() -> Result<()> {
    let scene = Scene::open(500, 0).await?;
    let plain = scene.configuration(Target::Profiles).with_source_option(
        "table_options: { profiles: { where: \"1 / (lifetime_value - lifetime_value)::int = 1\" } }",
    );
    scene.configure(Target::Profiles, &plain)?;
    let without = Report::of(&scene.sync(Target::Profiles).await?)?;
    scene.configure(Target::Profiles, &plain.through(&proxies(&scene)?))?;
    let with = Report::of(&scene.sync(Target::Profiles).await?)?;
    assert!(
        !["untyped", "plugin_died"].contains(&without.error_code()),
        "{without:?}"
    );
    assert_eq!(with.error, without.error);
    scene.longshore.leaves_nothing_running().await
}
