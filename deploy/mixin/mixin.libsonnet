// Wattoken as a monitoring mixin: its dashboards, alerts and recording rules. There is no other text
// of them: what is imported here is what the rest of deploy/ ships, with what `_config` changes.
(import 'config.libsonnet') +
(import 'dashboards.libsonnet') +
(import 'rules.libsonnet')
