// The files of deploy/prometheus/rules: groups of alerts, and groups of recording rules.
{
  local config = $._config,

  local groups = std.flattenArrays([
    std.parseYaml(text).groups
    for text in [
      importstr '../prometheus/rules/recording.yml',
      importstr '../prometheus/rules/objectives.yml',
      importstr '../prometheus/rules/alerts.yml',
    ]
  ]),

  // As the files have them, and what they become; the longer text first.
  local default = (import 'config.libsonnet')._config,
  local jobs(c) = [
    std.join('|', [c.ingestJobs, c.aggregatorJobs, c.canaryJobs]),
    c.exporterJobs,
    c.ingestJobs,
    c.aggregatorJobs,
  ],
  local matcher(regex) = 'job=~"%s"' % regex,
  local ofJobs(expr) = std.foldl(
    function(text, i) std.strReplace(text, matcher(jobs(default)[i]), matcher(jobs(config)[i])),
    std.range(0, std.length(jobs(default)) - 1),
    expr
  ),
  local runbook(url) = config.runbookURL + '#' + std.splitLimit(url, '#', 1)[1],
  local configured(alert) = alert {
    expr: ofJobs(super.expr),
    labels: config.alertLabels + super.labels,
    annotations+: { runbook_url: runbook(super.runbook_url) },
  },
  local isAlert(rule) = std.objectHas(rule, 'alert'),
  local isLeftOut(rule) = isAlert(rule) && std.member(config.alertsLeftOut, rule.alert),

  local ofAlerts = [
    group { rules: [configured(rule) for rule in group.rules if !isLeftOut(rule)] }
    for group in groups
    if isAlert(group.rules[0])
  ],

  prometheusAlerts+:: { groups+: [group for group in ofAlerts if group.rules != []] },
  prometheusRules+:: { groups+: [group for group in groups if !isAlert(group.rules[0])] },
}
