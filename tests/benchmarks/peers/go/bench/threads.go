package bench

import (
	"errors"
	"runtime"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

type mask [16]uint64 // 1,024 cores

func setAffinity(cores *mask) {
	syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, 0, unsafe.Sizeof(*cores), uintptr(unsafe.Pointer(cores)))
}

func affinity() (cores mask) {
	syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, 0, unsafe.Sizeof(cores), uintptr(unsafe.Pointer(&cores)))
	return cores
}

// pin keeps the calling goroutine on one core, and only it: Go's collector goes on using all. The result undoes it.
func pin(core int) func() {
	runtime.LockOSThread()
	before := affinity()
	var only mask
	only[core/64] = 1 << (core % 64)
	setAffinity(&only)
	return func() {
		setAffinity(&before)
		runtime.UnlockOSThread()
	}
}

// turns says who works in one pass: the first thread, the second, both at once.
var turns = [][]int{{0}, {1}, {0, 1}}

// threads answers documents a second of two threads, each on a core of its own: alone and both at once.
func (h *host) threads(peer *Peer, r request) (any, error) {
	var cores []int
	allowed := affinity()
	for core := range 64 * len(allowed) {
		if allowed[core/64]&(1<<(core%64)) != 0 {
			cores = append(cores, core)
		}
	}
	if len(cores) < 2 {
		return nil, errors.New("NotImplementedError: needs two cores")
	}
	text := h.text("dense")
	passes := make([][2][2]float64, r.Calls) // alone and both, of two threads
	failed := make([]error, 2)
	speed := func(who int) float64 {
		start := time.Now()
		for count := 1; ; count++ {
			if _, err := h.render(peer, text, 1); err != nil {
				failed[who] = err
				return 0
			}
			if passed := time.Since(start).Nanoseconds(); passed >= r.Window {
				return float64(count) * 1e9 / float64(passed)
			}
		}
	}
	for number := range passes {
		for step := range turns {
			if number%2 == 1 {
				step = len(turns) - 1 - step // there and back, so that a drift falls on all alike
			}
			turn := turns[step]
			start := make(chan bool)
			var crew sync.WaitGroup
			for _, who := range turn {
				crew.Go(func() {
					defer pin(cores[who])()
					<-start
					passes[number][len(turn)-1][who] = speed(who)
				})
			}
			close(start)
			crew.Wait()
		}
	}
	return map[string]any{"passes": passes}, errors.Join(failed...)
}
