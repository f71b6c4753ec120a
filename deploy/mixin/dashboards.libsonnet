// The files of deploy/grafana/dashboards, which are generated: see docs/dashboards.md.
{
  local config = $._config,

  local metrics = {
    'wattoken-grid.json': import '../grafana/dashboards/metrics/grid.json',
    'wattoken-league.json': import '../grafana/dashboards/metrics/league.json',
    'wattoken-meter-room.json': import '../grafana/dashboards/metrics/meter-room.json',
    'wattoken-pipeline.json': import '../grafana/dashboards/metrics/pipeline.json',
  },
  local sql = {
    'wattoken-sql-bills.json': import '../grafana/dashboards/sql/bills.json',
    'wattoken-sql-electricity.json': import '../grafana/dashboards/sql/electricity.json',
    'wattoken-sql-league.json': import '../grafana/dashboards/sql/league.json',
    'wattoken-sql-load.json': import '../grafana/dashboards/sql/load.json',
    'wattoken-sql-quality.json': import '../grafana/dashboards/sql/quality.json',
  },

  local tagged(dashboard) = dashboard {
    tags: config.dashboardTags,
    links: [link { tags: [config.dashboardTags[0]] } for link in super.links],
  },

  grafanaDashboardFolder:: 'Wattoken',
  grafanaDashboards+:: std.mapWithKey(
    function(_, dashboard) tagged(dashboard),
    metrics + (if config.sqlDashboards then sql else {})
  ),
}
