// Goroutines, timers, collection, preemption, a recovered fault and refused files in a confined plugin.
package main

import "C"

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"
)

var made = func() []int { return make([]int, 1000) }()

func fault() (recovered bool) {
	defer func() { recovered = recover() != nil }()
	var nothing *int
	*nothing = 1
	return
}

//export run
func run() C.int {
	var group sync.WaitGroup
	var lock sync.Mutex
	sum := len(made)
	for i := 0; i < 50; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			time.Sleep(time.Millisecond)
			block := make([]byte, 1<<16)
			lock.Lock()
			sum += len(block) >> 16
			lock.Unlock()
		}()
	}
	group.Wait()
	stop := make(chan bool)
	go func() { // never yields by itself: it is told to by a signal
		for x := 0; x < 1<<28; x++ {
			sum += x & 0
		}
		stop <- true
	}()
	runtime.GC()
	<-stop
	if !fault() {
		return 1
	}
	if _, err := os.ReadFile("/etc/passwd"); err == nil {
		return 2
	}
	fmt.Println("a line")
	return C.int(sum - 1050)
}

func main() {}
