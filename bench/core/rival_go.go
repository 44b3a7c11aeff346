// Go beside bide, on one core (GOMAXPROCS=1 is set by run.py). Each case does what its twin in
// bide_core.c does.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A case does at least count operations; it returns how many, and how long the timed part took.
type benchCase func(count int) (int, time.Duration)

func yieldRing(members int) benchCase {
	return func(count int) (int, time.Duration) {
		turns := (count + members - 1) / members
		var start, end time.Time
		var ended sync.WaitGroup
		for i := 0; i < members; i++ {
			first := i == 0
			ended.Add(1)
			go func() {
				defer ended.Done()
				runtime.Gosched() // after this every member has started
				if first {
					start = time.Now()
				}
				for t := 0; t < turns; t++ {
					runtime.Gosched()
				}
				if first { // the ring is fair: the others did as many
					end = time.Now()
				}
			}()
		}
		ended.Wait()
		return turns * members, end.Sub(start)
	}
}

var total int

func spawnJoinOne(count int) (int, time.Duration) {
	var ended sync.WaitGroup
	start := time.Now()
	for i := 0; i < count; i++ {
		ended.Add(1)
		go func() {
			total++
			ended.Done()
		}()
		ended.Wait()
	}
	return count, time.Since(start)
}

func spawnJoinBatch(count int) (int, time.Duration) {
	batches := (count + 999) / 1000
	start := time.Now()
	for b := 0; b < batches; b++ {
		var ended sync.WaitGroup
		ended.Add(1000)
		for i := 0; i < 1000; i++ {
			go func() {
				total++
				ended.Done()
			}()
		}
		ended.Wait()
	}
	return batches * 1000, time.Since(start)
}

func channelRendezvous(count int) (int, time.Duration) {
	ping, pong := make(chan int), make(chan int)
	go func() {
		for v := range ping {
			pong <- v
		}
		close(pong)
	}()
	start := time.Now()
	for i := 0; i < count; i++ {
		ping <- i
		total += <-pong
	}
	elapsed := time.Since(start)
	close(ping)
	<-pong
	return count, elapsed
}

func channelBuffered(count int) (int, time.Duration) {
	channel := make(chan int, 128)
	start := time.Now()
	go func() {
		for i := 0; i < count; i++ {
			channel <- i
		}
		close(channel)
	}()
	for v := range channel {
		total += v
	}
	return count, time.Since(start)
}

func mutexFree(count int) (int, time.Duration) {
	var mutex sync.Mutex
	start := time.Now()
	for i := 0; i < count; i++ {
		mutex.Lock()
		mutex.Unlock()
	}
	return count, time.Since(start)
}

func mutexContended(count int) (int, time.Duration) {
	var mutex sync.Mutex
	var ended sync.WaitGroup
	turns := (count + 1) / 2
	start := time.Now()
	for i := 0; i < 2; i++ {
		ended.Add(1)
		go func() {
			for t := 0; t < turns; t++ {
				mutex.Lock()
				runtime.Gosched()
				mutex.Unlock()
			}
			ended.Done()
		}()
	}
	ended.Wait()
	return turns * 2, time.Since(start)
}

func statusBytes(fields ...string) int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		panic(err)
	}
	bytes := 0
	for _, line := range strings.Split(string(status), "\n") {
		for _, field := range fields {
			if strings.HasPrefix(line, field+":") {
				kib, _ := strconv.Atoi(strings.Fields(line)[1])
				bytes += kib * 1024
			}
		}
	}
	return bytes
}

func mappings() int {
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		panic(err)
	}
	defer maps.Close()
	lines := 0
	for scanner := bufio.NewScanner(maps); scanner.Scan(); {
		lines++
	}
	return lines
}

// Parks 1,000,000 goroutines, wakes each once, and weighs them when they are parked again.
func parked() {
	const members = 1000000
	wake := make(chan int)
	woken, left := 0, 0
	before := statusBytes("VmRSS", "VmPTE")
	for i := 0; i < members; i++ {
		go func() {
			<-wake
			woken++
			<-wake
			left++
		}()
	}
	settle := func() {
		for i := 0; i < 4; i++ {
			runtime.Gosched()
		}
	}
	settle()
	for i := 0; i < members; i++ {
		wake <- i
	}
	settle()
	bytes := statusBytes("VmRSS", "VmPTE") - before
	if woken != members || left != 0 {
		panic("not every goroutine was woken once")
	}
	fmt.Printf("parked_1m %d\nparked_1m_mappings %d\n", bytes/members, mappings())
	for i := 0; i < members; i++ {
		wake <- i
	}
	settle()
	if left != members {
		panic("not every goroutine left")
	}
}

func measure(name string, run benchCase, count int) {
	target := 200 * time.Millisecond
	if ms, err := strconv.Atoi(os.Getenv("BENCH_MS")); err == nil && ms > 0 {
		target = time.Duration(ms) * time.Millisecond
	}
	for {
		operations, elapsed := run(count)
		if elapsed*16 >= target {
			count = int(float64(operations) * float64(target) / float64(elapsed))
			break
		}
		count = operations * 8
	}
	operations, elapsed := run(count)
	fmt.Printf("%s %.4f\n", name, float64(elapsed.Nanoseconds())/float64(operations))
}

func main() {
	cases := map[string]struct {
		run   benchCase
		first int
	}{
		"yield_2":            {yieldRing(2), 1000},
		"yield_64":           {yieldRing(64), 10000},
		"yield_1000":         {yieldRing(1000), 10000},
		"yield_100k":         {yieldRing(100000), 400000},
		"spawn_join_one":     {spawnJoinOne, 1000},
		"spawn_join_batch":   {spawnJoinBatch, 10000},
		"channel_rendezvous": {channelRendezvous, 1000},
		"channel_buffered":   {channelBuffered, 10000},
		"mutex_free":         {mutexFree, 10000},
		"mutex_contended":    {mutexContended, 1000},
	}
	for _, name := range os.Args[1:] {
		if name == "parked_1m" {
			parked()
		} else if c, known := cases[name]; known {
			measure(name, c.run, c.first)
		}
	}
}
