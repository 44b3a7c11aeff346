// Go's side: rival_go pg_select CONNINFO prints what rate.h says; rival_go http_pg CONNINFO is a
// server on net/http, which prints `PORT n` and serves until it is killed. Both on a pool of pgx.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v4/pgxpool"
)

const (
	accounts    = 10000
	tasks       = 64
	connections = 16
	lifetime    = 120 * time.Second
	query       = "select id, name, balance from accounts where id = $1"
)

type account struct {
	ID      int64  `json:"id"`
	Name    string `json:"name"`
	Balance int64  `json:"balance"`
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func nextAccount(state *uint64) int64 {
	*state = *state*6364136223846793005 + 1442695040888963407
	return int64((*state>>33)%accounts) + 1
}

func find(pool *pgxpool.Pool, id int64) account {
	var found account
	row := pool.QueryRow(context.Background(), query, id)
	must(row.Scan(&found.ID, &found.Name, &found.Balance))
	return found
}

func cpu() time.Duration {
	var used syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// Tasks that select until the time is over: how many selects, and the time and CPU time they took.
func selects(pool *pgxpool.Pool, length time.Duration) (int, time.Duration, time.Duration) {
	var group sync.WaitGroup
	counts := make([]int, tasks)
	start, used := time.Now(), cpu()
	for task := range counts {
		group.Add(1)
		go func(task int) {
			defer group.Done()
			seed := uint64(task)
			for time.Since(start) < length {
				id := nextAccount(&seed)
				if find(pool, id).ID != id {
					panic("another account")
				}
				counts[task]++
			}
		}(task)
	}
	group.Wait()
	total := 0
	for _, count := range counts {
		total += count
	}
	return total, time.Since(start), cpu() - used
}

func pgSelect(pool *pgxpool.Pool) {
	ms, _ := strconv.Atoi(os.Getenv("BENCH_MS"))
	length := time.Duration(ms) * time.Millisecond
	selects(pool, length/4)
	count, elapsed, used := selects(pool, length)
	fmt.Printf("pg_select %.1f\n", float64(count)/elapsed.Seconds())
	fmt.Printf("pg_select_cpu %.4f\n", float64(used.Nanoseconds())/float64(count)/1000)
}

func serve(pool *pgxpool.Pool) {
	time.AfterFunc(lifetime, func() { os.Exit(1) }) // nobody is left to kill it
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	http.HandleFunc("/accounts/", func(writer http.ResponseWriter, request *http.Request) {
		id, err := strconv.ParseInt(strings.TrimPrefix(request.URL.Path, "/accounts/"), 10, 64)
		must(err)
		bytes, err := json.Marshal(find(pool, id))
		must(err)
		writer.Header().Set("Content-Type", "application/json")
		_, _ = writer.Write(bytes)
	})
	fmt.Println("PORT", listener.Addr().(*net.TCPAddr).Port)
	must(http.Serve(listener, nil))
}

func main() {
	config, err := pgxpool.ParseConfig(os.Args[2])
	must(err)
	config.MaxConns = connections
	pool, err := pgxpool.ConnectConfig(context.Background(), config)
	must(err)
	if os.Args[1] == "http_pg" {
		serve(pool)
	}
	pgSelect(pool)
}
