/**
 * When machines may restart for updates: two maintenance windows on different days. All servers of a slot are in the
 * same window, so an update never restarts both slots at once.
 */
import { MaintenanceAssignmentVirtualMachine } from "@cdktf/provider-azurerm/lib/maintenance-assignment-virtual-machine";
import { MaintenanceConfiguration } from "@cdktf/provider-azurerm/lib/maintenance-configuration";
import { Construct } from "constructs";
import type { IMachine } from "./machine";
import type { Placement } from "./placement";

type Weekday = "Monday" | "Tuesday" | "Wednesday" | "Thursday" | "Friday" | "Saturday" | "Sunday";

export interface PatchingProps extends Placement {
  readonly name: string;
  /** The first half's day and the second half's. */
  readonly days: readonly [Weekday, Weekday];
  /** Time of day, as in "02:00". */
  readonly start: string;
  /** A Windows time zone's name. */
  readonly timeZone: string;
}

/** Any date in the past will do. */
const FIRST_DAY = "2025-01-01";

export class Patching extends Construct {
  private readonly windows: readonly MaintenanceConfiguration[];

  constructor(
    scope: Construct,
    id: string,
    private readonly props: PatchingProps,
  ) {
    super(scope, id);
    const { resourceGroupName, location, tags, name, days, start, timeZone } = props;
    this.windows = days.map(
      (day, half) =>
        new MaintenanceConfiguration(this, `half-${half + 1}`, {
          resourceGroupName,
          location,
          tags,
          name: `mc-${name}-${half + 1}`,
          scope: "InGuestPatch",
          inGuestUserPatchMode: "User",
          window: {
            startDateTime: `${FIRST_DAY} ${start}`,
            timeZone,
            duration: "02:00",
            recurEvery: `1Week ${day}`,
          },
          installPatches: {
            reboot: "IfRequired",
            linux: [{ classificationsToInclude: ["Critical", "Security"] }],
            windows: [{ classificationsToInclude: ["Critical", "Security", "UpdateRollup"] }],
          },
        }),
    );
  }

  /** @param half 0 or 1. */
  assign(name: string, machine: IMachine, half: number): void {
    new MaintenanceAssignmentVirtualMachine(this, name, {
      location: this.props.location,
      maintenanceConfigurationId: this.windows[half]!.id,
      virtualMachineId: machine.id,
    });
  }
}
