/** Where a resource of Azure lives; what all of this folder's constructs want to know. */
export interface Placement {
  readonly resourceGroupName: string;
  readonly location: string;
  readonly tags: Readonly<Record<string, string>>;
}
