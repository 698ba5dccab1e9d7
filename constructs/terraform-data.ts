/**
 * Terraform's built-in `terraform_data`. Not cdktf's own DataResource: that one starts the terraform binary once a
 * resource while it synthesizes (0.9 s for two servers), and fails where none is on PATH.
 */
import { TerraformResource } from "cdktf";
import type { TerraformMetaArguments } from "cdktf";
import type { Construct } from "constructs";

/** What {@link TerraformData} keeps, and when it is replaced. */
export interface TerraformDataProps extends TerraformMetaArguments {
  /** Another value replaces the resource, and so runs its provisioners. */
  readonly triggersReplace: string;
  /** Kept in the state; what a destroy-time provisioner may refer to, as `self.input`. */
  readonly input?: Readonly<Record<string, string>>;
}

/** Terraform's built-in `terraform_data`: a step of a custom server, which runs when `triggersReplace` changes. */
export class TerraformData extends TerraformResource {
  private readonly triggersReplace: string;
  private readonly input: Readonly<Record<string, string>> | undefined;

  constructor(scope: Construct, id: string, props: TerraformDataProps) {
    const { triggersReplace, input, ...meta } = props;
    super(scope, id, { ...meta, terraformResourceType: "terraform_data" });
    this.triggersReplace = triggersReplace;
    this.input = input;
  }

  protected override synthesizeAttributes(): Record<string, unknown> {
    return {
      triggers_replace: this.triggersReplace,
      ...(this.input === undefined ? {} : { input: this.input }),
    };
  }
}
