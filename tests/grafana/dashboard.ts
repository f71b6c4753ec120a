// What a dashboard of ours must be: Grafana's own types, each panel with the options of its kind.
// Grafana's model leaves options and queries open; here nothing is, so that a misspelt name is found.
// PANEL_TYPES is where the package has the types of each kind of panel, which differs by version.

import type {
  AnnotationQuery,
  Dashboard,
  DataQuery,
  FieldConfig,
  FieldConfigSource,
  Panel,
  RowPanel,
  VariableModel,
} from '@grafana/schema';
import type * as bargauge from 'PANEL_TYPES/bargauge';
import type * as piechart from 'PANEL_TYPES/piechart';
import type * as stat from 'PANEL_TYPES/stat';
import type * as table from 'PANEL_TYPES/table';
import type * as timeseries from 'PANEL_TYPES/timeseries';
import type * as trend from 'PANEL_TYPES/trend';

// As JSON has it: an enumeration of texts is one of these texts.
type Json<T> = unknown extends T
  ? T
  : T extends string
    ? `${T}`
    : T extends number | boolean | null | undefined
      ? T
      : T extends ReadonlyArray<infer U>
        ? Json<U>[]
        : T extends object
          ? { [K in keyof T]: Json<T[K]> }
          : T;

// Of the data sources' plug-ins, which the package does not describe.
type PrometheusQuery = DataQuery & {
  expr: string;
  legendFormat: string;
  format?: 'time_series' | 'table' | 'heatmap';
  instant?: boolean;
  range?: boolean;
};
type ClickHouseQuery = DataQuery & {
  rawSql: string;
  editorType: 'sql';
  format: 0 | 1;
  queryType: 'timeseries' | 'table';
};

// What is left out has the default that Grafana puts in.
type PanelOf<Kind extends string, Options, Custom> = Omit<
  Panel,
  'type' | 'options' | 'fieldConfig' | 'targets'
> & {
  type: Kind;
  title: string;
  description: string;
  options: Partial<Options>;
  fieldConfig: Omit<FieldConfigSource, 'defaults'> & {
    defaults: Omit<FieldConfig, 'custom'> & { custom?: Partial<Custom> };
  };
  targets: Array<PrometheusQuery | ClickHouseQuery>;
};

// It asks Grafana itself, which the package does not describe either.
type AlertList = Omit<Panel, 'type' | 'options'> & {
  type: 'alertlist';
  options: {
    alertName: string;
    alertInstanceLabelFilter: string;
    dashboardAlerts: boolean;
    groupBy: string[];
    groupMode: 'default' | 'custom';
    maxItems: number;
    showInstances: boolean;
    sortOrder: 1 | 2 | 3 | 4 | 5;
    stateFilter: Record<
      'error' | 'firing' | 'noData' | 'normal' | 'pending' | 'recovering',
      boolean
    >;
    viewMode: 'list' | 'stat';
  };
};

type AnyPanel =
  | (Omit<RowPanel, 'panels'> & { panels: [] })
  | PanelOf<'bargauge', bargauge.Options, {}>
  | PanelOf<'piechart', piechart.Options, piechart.FieldConfig>
  | PanelOf<'stat', stat.Options, {}>
  | PanelOf<'table', table.Options, table.FieldConfig>
  | PanelOf<'timeseries', timeseries.Options, timeseries.FieldConfig>
  | PanelOf<'trend', trend.Options, trend.FieldConfig>
  | AlertList;

export type Provisioned = Json<
  Omit<Dashboard, 'panels' | 'annotations' | 'templating'> & {
    panels: AnyPanel[];
    // Of the Prometheus plug-in are the query and how an event is written.
    annotations: {
      list?: Array<
        AnnotationQuery & { expr: string; titleFormat: string; textFormat: string }
      >;
    };
    // What the list of variables shows in place of the query.
    templating: { list: Array<VariableModel & { definition?: string }> };
  }
>;

export type Shared = Provisioned & {
  id: null;
  __inputs: Array<{
    name: string;
    label: string;
    description: string;
    type: 'datasource';
    pluginId: string;
    pluginName: string;
  }>;
  __elements: {};
  __requires: Array<{
    type: 'grafana' | 'datasource' | 'panel';
    id: string;
    name: string;
    version: string;
  }>;
};
