/** Logs of all machines in one workspace, and alerts for what users notice. On by default; releases don't touch it. */
import { ApplicationInsightsStandardWebTest } from "@cdktf/provider-azurerm/lib/application-insights-standard-web-test";
import { ApplicationInsights } from "@cdktf/provider-azurerm/lib/application-insights";
import { LogAnalyticsWorkspace } from "@cdktf/provider-azurerm/lib/log-analytics-workspace";
import { MonitorActionGroup } from "@cdktf/provider-azurerm/lib/monitor-action-group";
import { MonitorDataCollectionRuleAssociation } from "@cdktf/provider-azurerm/lib/monitor-data-collection-rule-association";
import { MonitorDataCollectionRule } from "@cdktf/provider-azurerm/lib/monitor-data-collection-rule";
import { MonitorDiagnosticSetting } from "@cdktf/provider-azurerm/lib/monitor-diagnostic-setting";
import { MonitorMetricAlert } from "@cdktf/provider-azurerm/lib/monitor-metric-alert";
import { VirtualMachineExtension } from "@cdktf/provider-azurerm/lib/virtual-machine-extension";
import { Construct } from "constructs";
import { inNamesOf5 } from "./azurerm";
import type { IMachine, OperatingSystem } from "./machine";
import type { Placement } from "./placement";

export interface MonitoringProps extends Placement {
  readonly name: string;
  /** Recipients of alerts. Without any there are no alerts. */
  readonly emails: readonly string[];
  /** How long logs are kept, in days. */
  readonly retentionDays: number;
}

interface MetricAlert {
  readonly id: string;
  readonly description: string;
  readonly severity: number;
  readonly resourceId: string;
  readonly namespace: string;
  readonly metric: string;
  readonly aggregation: "Average" | "Maximum" | "Minimum";
  readonly operator: "LessThan" | "GreaterThan";
  readonly threshold: number;
}

const AGENT: Record<OperatingSystem, { type: string; version: string }> = {
  windows: { type: "AzureMonitorWindowsAgent", version: "1.22" },
  linux: { type: "AzureMonitorLinuxAgent", version: "1.29" },
};
const WORKSPACE = "workspace";
/** Amsterdam, Dublin, and Virginia: a network problem of one region is not an outage. */
const TEST_LOCATIONS = ["emea-nl-ams-azr", "emea-gb-db3-azr", "us-va-ash-azr"];
const CERTIFICATE_WARNING_DAYS = 14;

export class Monitoring extends Construct {
  private readonly workspaceId: string;
  private readonly actionGroupId: string | undefined;
  private readonly rules = new Map<OperatingSystem, MonitorDataCollectionRule>();

  constructor(
    scope: Construct,
    id: string,
    private readonly props: MonitoringProps,
  ) {
    super(scope, id);
    const { name, emails, retentionDays } = props;
    this.workspaceId = new LogAnalyticsWorkspace(this, "Resource", {
      ...this.placement,
      name: `log-${name}`,
      sku: "PerGB2018",
      retentionInDays: retentionDays,
      localAuthenticationEnabled: false,
    }).id;
    if (emails.length === 0) return;
    const { resourceGroupName, tags } = this.placement;
    this.actionGroupId = new MonitorActionGroup(this, "actions", {
      resourceGroupName,
      tags,
      name: `ag-${name}`,
      shortName: "bluegreen",
      emailReceiver: emails.map((emailAddress, index) => ({
        name: `person-${index + 1}`,
        emailAddress,
        useCommonAlertSchema: true,
      })),
    }).id;
  }

  /** Sends a machine's logs and counters to the workspace, and alerts when the machine is down. */
  watchMachine(name: string, machine: IMachine, identityId: string): void {
    const { type, version } = AGENT[machine.os];
    const agent = new VirtualMachineExtension(this, `agent-${name}`, {
      virtualMachineId: machine.id,
      tags: this.props.tags,
      name: type,
      publisher: "Microsoft.Azure.Monitor",
      type,
      typeHandlerVersion: version,
      autoUpgradeMinorVersion: true,
      automaticUpgradeEnabled: true,
      settings: JSON.stringify({
        authentication: {
          managedIdentity: { "identifier-name": "mi_res_id", "identifier-value": identityId },
        },
      }),
    });
    new MonitorDataCollectionRuleAssociation(this, `collect-${name}`, {
      name: `collect-${name}`,
      targetResourceId: machine.id,
      dataCollectionRuleId: this.ruleFor(machine.os).id,
      dependsOn: [agent],
    });
    this.alert({
      id: `down-${name}`,
      description: `${name} does not run`,
      severity: 1,
      resourceId: machine.id,
      namespace: "Microsoft.Compute/virtualMachines",
      metric: "VmAvailabilityMetric",
      aggregation: "Average",
      operator: "LessThan",
      threshold: 1,
    });
  }

  watchLoadBalancer(resourceId: string): void {
    this.alert({
      id: "proxies-down",
      description: "A proxy does not answer the load balancer's probe",
      severity: 1,
      resourceId,
      namespace: "Microsoft.Network/loadBalancers",
      metric: "DipAvailability",
      aggregation: "Average",
      operator: "LessThan",
      threshold: 90,
    });
  }

  watchDatabase(resourceId: string): void {
    const database = { resourceId, namespace: "Microsoft.Sql/servers/databases", severity: 2 } as const;
    const above = { aggregation: "Maximum", operator: "GreaterThan" } as const;
    this.alert({
      ...database,
      ...above,
      id: "database-storage",
      description: "The database is almost full",
      metric: "storage_percent",
      threshold: 85,
    });
    this.alert({
      ...database,
      ...above,
      aggregation: "Average",
      id: "database-cpu",
      description: "The database is busy",
      metric: "cpu_percent",
      threshold: 90,
    });
  }

  /** Requests the site from outside, every five minutes. @param url the address that users use. */
  watchSite(url: string): void {
    if (this.actionGroupId === undefined) return;
    const { name } = this.props;
    const insights = new ApplicationInsights(this, "insights", {
      ...this.placement,
      name: `appi-${name}`,
      applicationType: "web",
      workspaceId: this.workspaceId,
      localAuthenticationDisabled: true,
    });
    inNamesOf5(insights, { local_authentication_enabled: false });
    const test = new ApplicationInsightsStandardWebTest(this, "site-test", {
      ...this.placement,
      name: `webtest-${name}`,
      applicationInsightsId: insights.id,
      geoLocations: TEST_LOCATIONS,
      frequency: 300,
      timeout: 30,
      enabled: true,
      retryEnabled: true,
      request: { url, followRedirectsEnabled: false, parseDependentRequestsEnabled: false },
      validationRules: {
        expectedStatusCode: 200,
        ...(url.startsWith("https:")
          ? { sslCheckEnabled: true, sslCertRemainingLifetime: CERTIFICATE_WARNING_DAYS }
          : {}),
      },
      // Azure adds a tag.
      lifecycle: { ignoreChanges: ["tags"] },
    });
    new MonitorMetricAlert(this, "site-down", {
      resourceGroupName: this.props.resourceGroupName,
      tags: this.props.tags,
      name: `alert-${name}-site-down`,
      description: "The site does not answer from outside",
      scopes: [test.id, insights.id],
      severity: 0,
      frequency: "PT1M",
      windowSize: "PT5M",
      applicationInsightsWebTestLocationAvailabilityCriteria: {
        webTestId: test.id,
        componentId: insights.id,
        failedLocationCount: 2,
      },
      action: [{ actionGroupId: this.actionGroupId }],
    });
  }

  /** Who read, changed or was refused what. @param serverId the SQL server, if there is one */
  collectAuditLogs(accountId: string, vaultId: string, serverId: string | undefined): void {
    const blobs = ["StorageRead", "StorageWrite", "StorageDelete"];
    this.collectLogs("artifacts", `${accountId}/blobServices/default`, blobs);
    this.collectLogs("secrets", vaultId, ["AuditEvent"]);
    if (serverId === undefined) return;
    // The log of all databases of a server.
    this.collectLogs("database", `${serverId}/databases/master`, ["SQLSecurityAuditEvents"]);
  }

  private collectLogs(name: string, targetResourceId: string, categories: readonly string[]): void {
    new MonitorDiagnosticSetting(this, `logs-${name}`, {
      name: "audit",
      targetResourceId,
      logAnalyticsWorkspaceId: this.workspaceId,
      enabledLog: categories.map((category) => ({ category })),
    });
  }

  private get placement(): Placement {
    const { resourceGroupName, location, tags } = this.props;
    return { resourceGroupName, location, tags };
  }

  private alert(alert: MetricAlert): void {
    if (this.actionGroupId === undefined) return;
    const { namespace, metric, aggregation, operator, threshold } = alert;
    new MonitorMetricAlert(this, `alert-${alert.id}`, {
      resourceGroupName: this.props.resourceGroupName,
      tags: this.props.tags,
      name: `alert-${this.props.name}-${alert.id}`,
      description: alert.description,
      scopes: [alert.resourceId],
      severity: alert.severity,
      frequency: "PT1M",
      windowSize: "PT5M",
      criteria: [{ metricNamespace: namespace, metricName: metric, aggregation, operator, threshold }],
      action: [{ actionGroupId: this.actionGroupId }],
    });
  }

  private ruleFor(os: OperatingSystem): MonitorDataCollectionRule {
    const existing = this.rules.get(os);
    if (existing !== undefined) return existing;
    const sources = os === "windows" ? WINDOWS_SOURCES : LINUX_SOURCES;
    const rule = new MonitorDataCollectionRule(this, `rule-${os}`, {
      ...this.placement,
      name: `dcr-${this.props.name}-${os}`,
      kind: os === "windows" ? "Windows" : "Linux",
      destinations: { logAnalytics: [{ name: WORKSPACE, workspaceResourceId: this.workspaceId }] },
      dataFlow: sources.streams.map((stream) => ({ streams: [stream], destinations: [WORKSPACE] })),
      dataSources: sources.dataSources,
    });
    this.rules.set(os, rule);
    return rule;
  }
}

const COUNTERS = { name: "counters", streams: ["Microsoft-Perf"], samplingFrequencyInSeconds: 60 };

const WINDOWS_SOURCES = {
  streams: ["Microsoft-Event", "Microsoft-Perf", "Microsoft-W3CIISLog"],
  dataSources: {
    windowsEventLog: [
      {
        name: "events",
        streams: ["Microsoft-Event"],
        xPathQueries: [
          "Application!*[System[(Level=1 or Level=2 or Level=3)]]",
          "System!*[System[(Level=1 or Level=2)]]",
        ],
      },
    ],
    iisLog: [
      { name: "iis", streams: ["Microsoft-W3CIISLog"], logDirectories: ["C:\\inetpub\\logs\\LogFiles"] },
    ],
    performanceCounter: [
      {
        ...COUNTERS,
        counterSpecifiers: [
          "\\Processor(_Total)\\% Processor Time",
          "\\Memory\\Available MBytes",
          "\\LogicalDisk(C:)\\% Free Space",
        ],
      },
    ],
  },
};

const LINUX_SOURCES = {
  streams: ["Microsoft-Syslog", "Microsoft-Perf"],
  dataSources: {
    syslog: [
      {
        name: "syslog",
        streams: ["Microsoft-Syslog"],
        facilityNames: ["daemon", "local0", "syslog", "user"],
        logLevels: ["Warning", "Error", "Critical", "Alert", "Emergency"],
      },
    ],
    performanceCounter: [
      {
        ...COUNTERS,
        counterSpecifiers: [
          "\\Processor(*)\\% Processor Time",
          "\\Memory(*)\\% Available Memory",
          "\\Logical Disk(*)\\% Used Space",
        ],
      },
    ],
  },
};
