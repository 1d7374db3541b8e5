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

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	consoleBlock = regexp.MustCompile("(?s)```console\n(.*?)```")
	madeUpSecret = regexp.MustCompile(`whsec_[A-Za-z0-9+/=]+`)
	madeUpURL    = regexp.MustCompile(`http://127\.0\.0\.1:\d+/webhooks/default`)
)

// The tutorial on a laptop, command by command as the page has them. What the page shows below a command has to come of it.
func TestTheTutorialOnALaptopIsTrue(t *testing.T) {
	run := startRun(t, map[string]string{})
	page, err := os.ReadFile(filepath.Join(run.root, "docs", "tutorials", "laptop.md"))
	if err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), "KUBECONFIG="+run.kubeconfig, "PATH="+filepath.Join(run.root, "bin", "k8s")+":"+os.Getenv("PATH"),
		"CLERK_WEBHOOK_URL="+madeUpURL.FindString(run.output.String()), "CLERK_SIGNING_SECRET="+madeUpSecret.FindString(run.output.String()))
	count := 0
	for _, step := range steps(string(page)) {
		if step.command == "make run" || strings.HasPrefix(step.command, "export ") {
			continue // this is what startRun and env are
		}
		count++
		run.until(step.command, func() bool {
			command := exec.CommandContext(t.Context(), "bash", "-c", step.command)
			command.Dir, command.Env = run.root, env
			output, err := command.CombinedOutput()
			if step.output == "" {
				return err == nil
			}
			return strings.HasSuffix(strings.TrimSpace(string(output)), step.output)
		})
	}
	if count < 10 {
		t.Errorf("only %d commands of the tutorial were found", count)
	}
	run.end()
}

// step is a command of a page, and what the page shows below it.
type step struct{ command, output string }

func steps(page string) (all []step) {
	for _, block := range consoleBlock.FindAllStringSubmatch(page, -1) {
		text := strings.ReplaceAll(block[1], "\\\n", " ")
		for line := range strings.Lines(text) {
			line = strings.TrimSpace(line)
			if command, found := strings.CutPrefix(line, "$ "); found {
				command, _, _ = strings.Cut(command, "    #")
				all = append(all, step{command: command})
			} else if line != "" && len(all) > 0 {
				all[len(all)-1].output = line
			}
		}
	}
	return all
}
