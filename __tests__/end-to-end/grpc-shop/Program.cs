using Shop;

// With an address: clients that call the service there. Without: the service.
return args.Length > 0 ? await Clients.Run(args[0]) : await Service.Run();
