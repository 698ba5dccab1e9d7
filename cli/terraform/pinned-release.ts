/**
 * The Terraform release that the command downloads where there is none, and the SHA-256 of its archives. The digests are
 * here, so neither a mirror nor the vendor's server can exchange what runs.
 *
 * Where they were found on 2026-11-30 (the vendor's SHA256SUMS was out of reach): those of Linux (but 386) and macOS in the
 * vendor's repository hashicorp/homebrew-tap, commit e67d13cedb583896e87563d546285a2ce4d4bac9 of 2025-04-09; all of Linux and
 * macOS also in Wh1t3Fox/tempor, tempor/constants.py; macOS also in Yleisradio/homebrew-terraforms; Windows in
 * microsoft/winget-pkgs, manifests/h/Hashicorp/Terraform/1.11.4. tempor lists digests of the unpacked programs as well: that
 * of linux_amd64 is the one of the program with which this package is tested.
 */

/** The version that this package is tested with. */
export const PINNED_VERSION = "1.11.4";

/** By the vendor's names of platforms. */
export const PINNED_DIGESTS: Readonly<Partial<Record<string, string>>> = {
  linux_amd64: "1ce994251c00281d6845f0f268637ba50c0005657eb3cf096b92f753b42ef4dc",
  linux_arm64: "a43d1d0da9b9bab214a8305a39db0e40869572594ccf50c416a7756499143633",
  linux_arm: "3cf072a049ab0178e9cbec47a14712ba7f38cc8ef061f3a7c0ff57b83d320edd",
  linux_386: "8e4bd232ce8b0cde2a90132a9c4d25665791c7a48bbb159f5cd4988265d10372",
  darwin_amd64: "a56d5002b9f7647291faccc3dd1a70350e60fb61e4c45037629508b8fdc2575b",
  darwin_arm64: "867e0808fa971217043e25b7a792b10720c79b1546f8a68479b74f138be73e18",
  windows_amd64: "4e1dc85419dda723f2bb3afdf63a0d282a2de858588d56dd57d2e4e4c4c83f2b",
  windows_386: "61da1ff3dc081fbaa9a032327dafebc311df55f04ad5f8749d92a9b6c1790f40",
};
