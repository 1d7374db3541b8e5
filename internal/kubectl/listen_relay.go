/*
Copyright 2026 The clerk-operator Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package kubectl

import (
	"context"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"
)

const (
	// relayProgram is Clerk's command line.
	relayProgram = "clerk"

	// relayGrace is how long it may take to end before it is killed.
	relayGrace = 5 * time.Second
)

// relay starts the relay of Clerk's command line, if it is installed and wanted, and says how to start it otherwise. The channel is closed
// when nothing of it runs any more.
func (d *deliveries) relay(ctx context.Context, mode, address string) <-chan struct{} {
	ended := make(chan struct{})
	arguments := []string{"webhooks", "listen", "--forward-to", address}
	program, err := exec.LookPath(relayProgram)
	if mode == relayNever || err != nil {
		d.say("  relay  start it yourself: npx clerk webhooks listen --forward-to %s", address)
		close(ended)
		return ended
	}
	command := exec.CommandContext(ctx, program, arguments...) //nolint:gosec // the caller's own program, from their PATH
	command.Stdin, command.Stdout, command.Stderr = fileOnly(d.Streams.In), d.passed(d.Streams.Out), d.passed(d.Streams.ErrOut)
	command.Cancel = func() error { return interrupt(command.Process) }
	command.WaitDelay = relayGrace
	d.say("  relay  %s webhooks listen --forward-to %s", program, address)
	if err := command.Start(); err != nil {
		d.say("The relay does not start: %v. Start one: npx clerk webhooks listen --forward-to %s", err, address)
		close(ended)
		return ended
	}
	go func() {
		defer close(ended)
		if err := command.Wait(); ctx.Err() == nil {
			d.say("The relay has ended (%s), and nothing comes by it any more: npx clerk webhooks listen --forward-to %s",
				outcome(err), address)
		}
	}()
	return ended
}

func outcome(err error) string {
	if err == nil {
		return "without an error"
	}
	return err.Error()
}

// interrupt asks a process to end, as Ctrl-C does.
func interrupt(process *os.Process) error {
	if runtime.GOOS == "windows" {
		return process.Kill() // nobody can be asked there
	}
	return process.Signal(os.Interrupt)
}

// passed is where the relay prints: where this program does. Files and terminals it gets as they are.
func (d *deliveries) passed(out io.Writer) io.Writer {
	if file, ok := out.(*os.File); ok {
		return file
	}
	if out == d.out.out {
		return d.out
	}
	return &sharedWriter{out: out}
}

// fileOnly is the input where it is a file or a terminal, which a process can share.
func fileOnly(in io.Reader) io.Reader {
	if file, ok := in.(*os.File); ok {
		return file
	}
	return nil
}

// sharedWriter is written to by several at once.
type sharedWriter struct {
	mu  sync.Mutex
	out io.Writer
}

// Write writes.
func (w *sharedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.Write(p)
}
