// A gRPC service that starts slowly, and whose calls fail one time of a hundred, or as often as FAILURES.txt in its folder says.
using System.Net;
using Grpc.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Shop;

static class Service
{
    static string Setting(string name) => Environment.GetEnvironmentVariable(name) ?? throw new Exception($"{name} is missing");

    public static async Task<int> Run()
    {
        await Task.Delay(TimeSpan.FromSeconds(2));
        var builder = WebApplication.CreateBuilder();
        builder.Logging.SetMinimumLevel(LogLevel.Warning).AddFilter("Grpc", LogLevel.None);
        builder.WebHost.ConfigureKestrel(kestrel =>
            kestrel.Listen(IPAddress.Parse(Setting("HOST")), int.Parse(Setting("PORT")), listen => listen.Protocols = HttpProtocols.Http2));
        builder.Services.AddGrpc();
        builder.Services.AddGrpcHealthChecks().AddCheck("shop", () => HealthCheckResult.Healthy());
        builder.Services.Configure<HealthCheckPublisherOptions>(options => options.Delay = TimeSpan.Zero);
        var app = builder.Build();
        app.Use((context, next) =>
        {
            context.Response.Headers["x-release-id"] = Setting("BLUEGREEN_RELEASE_ID");
            return next(context);
        });
        app.MapGrpcService<OrdersService>();
        app.MapGrpcHealthChecksService();
        app.MapGet("/health", () => "healthy");
        await app.RunAsync();
        return 0;
    }
}

class OrdersService : Orders.OrdersBase
{
    static readonly string Release = Environment.GetEnvironmentVariable("BLUEGREEN_RELEASE_ID") ?? "";
    static readonly int FailingInHundred = int.Parse(File.ReadAllText("FAILURES.txt"));
    static int calls;

    public override Task<Quote> Price(Item item, ServerCallContext context)
    {
        if (Interlocked.Increment(ref calls) % 100 < FailingInHundred)
            throw new RpcException(new Status(StatusCode.Internal, "this call fails"));
        return Task.FromResult(new Quote { Release = Release, Number = item.Quantity });
    }

    public override async Task Watch(Item item, IServerStreamWriter<Quote> quotes, ServerCallContext context)
    {
        for (var number = 1; number <= item.Quantity; number++)
        {
            await quotes.WriteAsync(new Quote { Release = Release, Number = number });
            await Task.Delay(item.PauseMilliseconds, context.CancellationToken);
        }
    }
}
