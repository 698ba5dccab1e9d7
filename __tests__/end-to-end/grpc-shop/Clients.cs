// Clients with a connection each, until standard input ends. They try nothing twice. Then the counts, as one line of JSON.
using System.Collections.Concurrent;
using System.Text.Json;
using Grpc.Core;
using Grpc.Net.Client;

namespace Shop;

static class Clients
{
    static int unary, streams, longStreams, failing, open;
    static readonly ConcurrentDictionary<string, int> releases = new();
    static readonly ConcurrentBag<string> lost = [];
    static volatile bool ended;

    public static async Task<int> Run(string address)
    {
        var clients = new List<Task>();
        void Add(int count, Func<Orders.OrdersClient, Task> call)
        {
            for (var index = 0; index < count; index++) clients.Add(Task.Run(() => Call(address, call)));
        }
        Add(12, Unary);
        Add(6, client => Stream(client, 5, 20, () => Interlocked.Increment(ref streams)));
        Add(4, client => Stream(client, 30, 100, () => Interlocked.Increment(ref longStreams)));
        // Connects for each call, as short programs do.
        clients.Add(Task.Run(async () => { while (!ended) await Call(address, Unary, once: true); }));
        while (await Console.In.ReadLineAsync() is not null)
            Console.WriteLine(JsonSerializer.Serialize(new { unary, streams, longStreams, open, releases }));
        ended = true;
        await Task.WhenAll(clients);
        Console.WriteLine(JsonSerializer.Serialize(new { unary, streams, longStreams, failing, releases, lost = lost.Take(20), losses = lost.Count }));
        return 0;
    }

    static async Task Call(string address, Func<Orders.OrdersClient, Task> call, bool once = false)
    {
        using var channel = GrpcChannel.ForAddress(address);
        var client = new Orders.OrdersClient(channel);
        do
        {
            var began = DateTime.UtcNow;
            try { await call(client); }
            catch (RpcException error) when (error.StatusCode == StatusCode.Internal && error.Status.Detail == "this call fails") { Interlocked.Increment(ref failing); }
            catch (Exception error) { lost.Add($"{DateTime.UtcNow:HH:mm:ss.fff} after {(DateTime.UtcNow - began).TotalMilliseconds:0} ms: {(error as RpcException)?.Status.ToString() ?? error.ToString()}"); }
            // A rate that leaves the machine to others.
            await Task.Delay(10);
        } while (!ended && !once);
    }

    static async Task Unary(Orders.OrdersClient client)
    {
        var quote = await client.PriceAsync(new Item { Quantity = 7 }, deadline: DateTime.UtcNow.AddSeconds(30));
        if (quote.Number != 7) throw new Exception($"a wrong quote: {quote}");
        Interlocked.Increment(ref unary);
        releases.AddOrUpdate(quote.Release, 1, (_, count) => count + 1);
    }

    static async Task Stream(Orders.OrdersClient client, int quantity, int pause, Action whole)
    {
        using var call = client.Watch(new Item { Quantity = quantity, PauseMilliseconds = pause });
        var (got, release) = (0, "");
        await foreach (var quote in call.ResponseStream.ReadAllAsync())
        {
            if (got == 0) { Interlocked.Increment(ref open); release = quote.Release; }
            if (quote.Number != ++got || quote.Release != release) throw new Exception($"a wrong stream: {quote}, expected {got} of {release}");
        }
        Interlocked.Decrement(ref open);
        if (got != quantity) throw new Exception($"{got} of {quantity} quotes");
        whole();
    }
}
