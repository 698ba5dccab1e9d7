/** A small EF Core project for both databases, made, restored and built with the real .NET SDK and packages of NuGet. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";

const TOOL = "10.0.15";
const NPGSQL = "10.0.3";

const FILES: Readonly<Record<string, string>> = {
  "App.csproj": `<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup>
    <OutputType>Exe</OutputType>
    <TargetFramework>net10.0</TargetFramework>
    <ImplicitUsings>enable</ImplicitUsings>
  </PropertyGroup>
  <ItemGroup>
    <PackageReference Include="Microsoft.EntityFrameworkCore.Design" Version="${TOOL}" PrivateAssets="all" />
    <PackageReference Include="Microsoft.EntityFrameworkCore.SqlServer" Version="${TOOL}" />
    <PackageReference Include="Npgsql.EntityFrameworkCore.PostgreSQL" Version="${NPGSQL}" />
  </ItemGroup>
</Project>
`,
  "Program.cs": `Console.WriteLine("not for production");\n`,
  "Model.cs": `using Microsoft.EntityFrameworkCore;
namespace App;
public class Blog { public int Id { get; set; } public string Name { get; set; } = ""; public List<Post> Posts { get; set; } = new(); }
public class Post { public int Id { get; set; } public string Body { get; set; } = ""; public int BlogId { get; set; } }
public abstract class Store : DbContext {
  public DbSet<Blog> Blogs => Set<Blog>();
  public DbSet<Post> Posts => Set<Post>();
  protected override void OnModelCreating(ModelBuilder m) => m.Entity<Blog>().HasData(new Blog { Id = 1, Name = "it's; COMMIT;" });
}
public class PostgresStore : Store { protected override void OnConfiguring(DbContextOptionsBuilder b) => b.UseNpgsql("Host=nowhere.invalid;Database=x"); }
public class SqlServerStore : Store { protected override void OnConfiguring(DbContextOptionsBuilder b) => b.UseSqlServer("Server=nowhere.invalid;Database=x"); }
`,
};

/** A migration as a person writes it by hand: EF finds it by its attributes. */
export function migration(context: "PostgresStore" | "SqlServerStore", id: string, up: string): string {
  const name = `${context}${id.replace(/\W/g, "_")}`;
  return `using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
namespace App.Migrations
{
  [DbContext(typeof(App.${context}))]
  [Migration("${id}")]
  public class _${name} : Migration
  {
    protected override void Up(MigrationBuilder b)
    {
${up}
    }
  }
}
`;
}

export class DotnetProject {
  readonly folder = mkdtempSync(join(tmpdir(), "bluegreen-ef-"));
  readonly env: NodeJS.ProcessEnv = {
    ...{ DOTNET_NOLOGO: "1", DOTNET_CLI_TELEMETRY_OPTOUT: "1" },
    ...{ MSBUILDDISABLENODEREUSE: "1", UseSharedCompilation: "false" },
    PATH: `${join(this.folder, "tool")}${delimiter}${process.env["PATH"]}`,
  };

  /** @throws Error with what the tools said, where there is no SDK of version 10, or no NuGet. */
  static create(): DotnetProject {
    const project = new DotnetProject();
    try {
      const [major] = project.dotnet("--version").split(".");
      if (Number(major) < 10) throw new Error(`the .NET SDK is ${major}, and 10 is needed`);
      const tool = ["tool", "install", "dotnet-ef", "--version", TOOL, "--tool-path"];
      project.dotnet(...tool, join(project.folder, "tool"));
      for (const [name, text] of Object.entries(FILES)) project.write(name, text);
      project.dotnet("restore");
      return project;
    } catch (error) {
      project.remove();
      throw error;
    }
  }

  /** @returns what it said. */
  dotnet(...args: string[]): string {
    mkdirSync(this.app, { recursive: true });
    const { status, stdout, stderr, error } = spawnSync("dotnet", args, {
      cwd: this.app,
      env: { ...process.env, ...this.env },
      encoding: "utf8",
    });
    if (status === 0) return stdout;
    const said = `${stdout ?? ""}${stderr ?? ""}`.trim().split("\n").slice(-4).join(" | ");
    throw new Error(`dotnet ${args.slice(0, 3).join(" ")}: ${error?.message ?? said}`);
  }

  get app(): string {
    return join(this.folder, "app");
  }

  write(name: string, text: string): void {
    mkdirSync(dirname(join(this.app, name)), { recursive: true });
    writeFileSync(join(this.app, name), text);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
