/**
 * Terraform's built-in `terraform_data`. Not cdktf's DataResource: at synth it starts the terraform binary for each
 * resource (0.9 s for two servers), and fails if there is none on PATH.
 */
import { TerraformResource } from "cdktf";
import type { TerraformMetaArguments } from "cdktf";
import type { Construct } from "constructs";

/** The input of {@link TerraformData}, and when it is replaced. */
export interface TerraformDataProps extends TerraformMetaArguments {
  /** A new value replaces the resource, which runs its provisioners. */
  readonly triggersReplace: string;
  /** Stored in the state. A destroy-time provisioner may refer to it, as `self.input`. */
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
