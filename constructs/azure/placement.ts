/** Where an Azure resource lives: props that all constructs of this folder need. */
export interface Placement {
  readonly resourceGroupName: string;
  readonly location: string;
  readonly tags: Readonly<Record<string, string>>;
}
