-- For wrk: users of all buckets, in turns that keep no side waiting. They have the cookies of both configurations.
local requests = {}
local turn = 0

function init()
  for bucket = 0, 99 do
    local side = bucket % 2 == 0 and "blue" or "green"
    requests[bucket] = wrk.format("GET", "/", { Cookie = "bluegreen-bucket=" .. bucket .. "; side=" .. side })
  end
end

function request()
  turn = (turn + 37) % 100
  return requests[turn]
end
