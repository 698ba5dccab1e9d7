-- For wrk: users of all buckets, in turns that keep no side waiting.
local requests = {}
local turn = 0

function init()
  for bucket = 0, 99 do
    requests[bucket] = wrk.format("GET", "/", { Cookie = "bluegreen-bucket=" .. bucket })
  end
end

function request()
  turn = (turn + 37) % 100
  return requests[turn]
end
