-- wrk's requests, as POSTs of 128 bytes:
--   loadtest/profile --load 'wrk -t 1 -c 16 -d 4 -s loadtest/proof/post.lua {url}/pub/fry'
wrk.method = "POST"
wrk.body = string.rep("x", 128)
