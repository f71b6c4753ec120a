{
  // What is changed by whoever imports the mixin: (import 'mixin.libsonnet') + { _config+:: { … } }.
  _config+:: {
    // Jobs of Prometheus, as regular expressions: what `up` is asked of.
    exporterJobs: '(wattoken-)?exporter',
    ingestJobs: '(wattoken-)?ingest',
    aggregatorJobs: '(wattoken-)?aggregator',
    canaryJobs: '(wattoken-)?canary',

    // What the runbook's page is called where it is read.
    runbookURL: 'https://github.com/wattoken/wattoken/blob/main/docs/runbook.md',

    // Labels that every alert gets besides its severity, and alerts that are left out by name.
    alertLabels: {},
    alertsLeftOut: [],

    // Dashboards have these tags, and link to those that have the first.
    dashboardTags: ['wattoken'],
    // Those that ask ClickHouse, and so name tenants.
    sqlDashboards: true,
  },
}
