<?php
// phpredis, as its users use it: commands, pipelines, transactions, blocking pops, a subscriber, scans, sessions in Redis.
//
// phpredis.php HOST:PORT PREFIX plain|proxy
//
// Each family ends with a line "family NAME" once all it asserts holds; all keys begin with PREFIX.

[, $addr, $prefix, $at] = $argv;
$colon = strrpos($addr, ':');
define('HOST', substr($addr, 0, $colon));
define('PORT', (int) substr($addr, $colon + 1));

function connect(): Redis
{
    $r = new Redis();
    $r->connect(HOST, PORT, 60);
    return $r;
}

function key_(string $name): string
{
    return $GLOBALS['prefix'] . $name;
}

function same($got, $want): void
{
    if ($got !== $want) {
        throw new Exception('got ' . var_export($got, true) . ', want ' . var_export($want, true));
    }
}

// aside runs f in a process of its own, with a client of its own, and returns its number.
function aside(callable $f): int
{
    $pid = pcntl_fork();
    if ($pid === 0) {
        $f(connect());
        posix_kill(posix_getpid(), SIGKILL); // without the parent's destructors
    }
    return $pid;
}

// waits until the key has that many elements.
function lengthReaches(Redis $r, string $key, int $n): void
{
    for ($deadline = microtime(true) + 60; $r->lLen($key) < $n; usleep(5000)) {
        same(microtime(true) < $deadline, true);
    }
}

$families = [
    'commands' => function (Redis $r) {
        same($r->set(key_('s'), 'v', ['nx', 'ex' => 100]), true);
        same($r->set(key_('s'), 'w', ['nx', 'ex' => 100]), false);
        same($r->get(key_('s')), 'v');
        same($r->get(key_('none')), false);
        same($r->incrBy(key_('n'), 41), 41);
        same($r->hMSet(key_('h'), ['a' => '1', 'b' => '2']), true);
        same($r->hGetAll(key_('h')), ['a' => '1', 'b' => '2']);
        same($r->zAdd(key_('z'), 1, 'one', 2.5, 'two'), 2);
        same($r->zRange(key_('z'), 0, -1, true), ['one' => 1.0, 'two' => 2.5]);
        $many = [];
        for ($i = 0; $i < 50; $i++) {
            $many[key_("m$i")] = "$i";
        }
        same($r->mSet($many), true); // over slots
        same($r->mGet(array_keys($many)), array_values($many));
        same($r->del(array_keys($many)), 50);
        $bytes = implode('', array_map('chr', range(0, 255)));
        $r->set(key_("bin\0\r\n"), $bytes);
        same($r->get(key_("bin\0\r\n")), $bytes);
        same($r->lPush(key_('s'), 'x'), false);
        same(str_starts_with($r->getLastError(), 'WRONGTYPE'), true);
        $r->clearLastError();
        $script = "return {KEYS[1], ARGV[1], redis.call('INCR', KEYS[1])}";
        same($r->eval($script, [key_('script'), 'a'], 1), [key_('script'), 'a', 1]);
        same($r->evalSha(sha1($script), [key_('script'), 'b'], 1), [key_('script'), 'b', 2]);
        same($r->xAdd(key_('x'), '1-1', ['f' => 'v']), '1-1');
        same($r->xRange(key_('x'), '-', '+'), ['1-1' => ['f' => 'v']]);
        same($r->info('server')['redis_mode'], 'standalone');
    },
    'scans' => function (Redis $r) {
        $want = [];
        for ($i = 0; $i < 300; $i++) {
            $r->set($want[] = key_("scan:$i"), $i);
        }
        $r->setOption(Redis::OPT_SCAN, Redis::SCAN_RETRY);
        $found = [];
        for ($cursor = null; ($keys = $r->scan($cursor, key_('scan:*'), 100)) !== false;) {
            $found = array_merge($found, $keys);
        }
        $found = array_unique($found);
        sort($found);
        sort($want);
        same($found, $want);
    },
    'transactions' => function (Redis $r) {
        [$a, $b] = ['{' . key_('t') . '}a', '{' . key_('t') . '}b'];
        same($r->multi()->set($a, '1')->incr($a)->rPush($b, 'x', 'y')->lRange($b, 0, -1)->exec(), [true, 2, 2, ['x', 'y']]);
        same($r->multi(Redis::PIPELINE)->get($a)->get(key_('none'))->incr(key_('other slot'))->exec(), ['2', false, 1]);
        $r->watch($a);
        connect()->set($a, 'changed');
        same($r->multi()->set($a, 'mine')->exec(), false);
        same($r->get($a), 'changed');
        $r->watch($a);
        same($r->multi()->set($a, 'mine')->exec(), [true]);
        $r->multi()->set($a, 'never')->discard();
        same($r->get($a), 'mine');
    },
    'blocking' => function (Redis $r) {
        same($r->blPop([key_('list')], 1), []);
        $pusher = aside(function (Redis $own) {
            usleep(50000);
            $own->rPush(key_('list'), 'a', 'b');
        });
        same($r->blPop([key_('list')], 0), [key_('list'), 'a']);
        same($r->brPop([key_('list')], 0), [key_('list'), 'b']);
        same(pcntl_waitpid($pusher, $status), $pusher);
    },
    'queues' => function (Redis $r) { // consumers take from lists in several slots: each element once
        $taken = key_('taken');
        $consumers = [];
        for ($i = 0; $i < 3; $i++) {
            $consumers[] = aside(function (Redis $own) use ($taken) {
                $own->setOption(Redis::OPT_READ_TIMEOUT, -1);
                for (;;) {
                    $got = $own->brPop([key_('work a'), key_('work b'), key_('work c')], 0);
                    if (!$got || $got[1] === 'end') {
                        return;
                    }
                    $own->rPush($taken, $got[1]);
                }
            });
        }
        for ($i = 0; $i < 150; $i++) {
            $r->lPush(key_('work ' . 'abc'[$i % 3]), $i);
        }
        lengthReaches($r, $taken, 150);
        foreach ($consumers as $_) {
            $r->lPush(key_('work a'), 'end');
        }
        foreach ($consumers as $pid) {
            same(pcntl_waitpid($pid, $status), $pid);
        }
        $got = $r->lRange($taken, 0, -1);
        sort($got, SORT_NUMERIC);
        same($got, array_map('strval', range(0, 149)));
    },
    'pubsub' => function (Redis $r) {
        $heard = key_('heard');
        $subscriber = aside(function (Redis $s) use ($heard) {
            $s->setOption(Redis::OPT_READ_TIMEOUT, -1);
            $note = connect();
            $s->subscribe([key_('one'), key_('two')], function ($redis, $channel, $message) use ($heard, $note) {
                $note->rPush($heard, "$channel $message");
            });
        });
        $patterns = aside(function (Redis $s) use ($heard) {
            $s->setOption(Redis::OPT_READ_TIMEOUT, -1);
            $note = connect();
            $s->psubscribe([key_('by *')], function ($redis, $pattern, $channel, $message) use ($heard, $note) {
                $note->rPush($heard, "$pattern $channel $message");
            });
        });
        for ($deadline = microtime(true) + 60; $r->pubsub('numsub', [key_('two')])[key_('two')] < 1; usleep(5000)) {
            same(microtime(true) < $deadline, true);
        }
        $want = [];
        for ($i = 0; $i < 50; $i++) {
            same($r->publish(key_('one'), "message $i"), 1);
            $want[] = key_('one') . " message $i";
        }
        lengthReaches($r, $heard, 50);
        same($r->lRange($heard, 0, -1), $want);
        for ($deadline = microtime(true) + 60; $r->publish(key_('by pattern'), 'hello') < 1; usleep(5000)) {
            same(microtime(true) < $deadline, true);
        }
        lengthReaches($r, $heard, 51);
        same($r->lIndex($heard, 50), key_('by *') . ' ' . key_('by pattern') . ' hello');
        same($r->publish(key_('two'), 'end'), 1);
        same($r->publish(key_('by'  . ' now'), 'end'), 1);
        lengthReaches($r, $heard, 53);
        foreach ([$subscriber, $patterns] as $child) {
            same(posix_kill($child, SIGKILL), true);
            same(pcntl_waitpid($child, $status), $child);
        }
    },
    'sessions' => function (Redis $r) { // PHP's own, kept in Redis
        ini_set('session.save_handler', 'redis');
        ini_set('session.save_path', 'tcp://' . HOST . ':' . PORT . '?prefix=' . urlencode(key_('session:')));
        ini_set('redis.session.locking_enabled', '1');
        ini_set('session.use_cookies', '0');
        ini_set('session.cache_limiter', '');
        session_id('abc');
        same(session_start(), true);
        $_SESSION['visits'] = 1;
        same(session_write_close(), true);
        $_SESSION = [];
        same(session_start(), true);
        same($_SESSION, ['visits' => 1]);
        same(session_destroy(), true);
        same($r->exists(key_('session:abc')), 0);
    },
];

ob_start(); // sessions want to begin before the first output
foreach ($families as $name => $family) {
    $family(connect());
    echo "family $name\n";
}
