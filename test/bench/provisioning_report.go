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
	"fmt"
	"slices"
	"strconv"
	"time"
)

func reportProvisioning(r *report, results []provisioned) {
	rows := r.table("Organizations", "Operator", "Bare creation", "of", "Ratio", "Goal", "Deliveries answered", "Statuses settled")
	for _, p := range slices.Backward(results) {
		rounds := time.Duration(p.size.rounds)
		count := strconv.Itoa(p.size.organizations)
		if p.size.rounds > 1 {
			count += fmt.Sprintf(" (mean of %d)", p.size.rounds)
		}
		for _, other := range []struct {
			turn int
			what string
			goal float64
		}{{bareWhole, fmt.Sprintf("the same %d objects", 1+len(grants)+1+len(grants)), wholeGoal},
			{bareTenant, fmt.Sprintf("the tenant's %d alone", 1+len(grants)), tenantGoal}} {
			ratio := p.took[byOperator].Seconds() / p.took[other.turn].Seconds()
			rows.row(count, duration(p.took[byOperator]/rounds), duration(p.took[other.turn]/rounds), other.what, fmt.Sprintf("**%.1f**", ratio),
				fmt.Sprintf("≤ %.1f: %s", other.goal, met(ratio <= other.goal)), duration(p.accepted/rounds), duration(p.settled/rounds))
		}
	}
	rows.end()
	first := results[0]
	count := first.size.organizations * first.size.rounds
	reportWork(r,
		workColumn{fmt.Sprintf("Operator, each of %d", first.size.organizations), first.soon.each(count)},
		workColumn{"until all is settled", first.work[byOperator].each(count)},
		workColumn{"Bare creation of the same", first.work[bareWhole].each(count)},
		workColumn{"of the tenant's alone", first.work[bareTenant].each(count)})
	reportRequests(r, first)
}

// reportRequests tells the operator's requests apart.
func reportRequests(r *report, p provisioned) {
	per := float64(p.size.organizations * p.size.rounds)
	each := func(count int) string { return fmt.Sprintf("%.2f", float64(count)/per) }
	total := len(p.made.writes()) - countOther(p.made)
	r.line("API requests for each of %d organizations: **%s**, apart from what follows from no organization in particular. "+
		"Plain client-go makes %d for the same objects.", p.size.organizations, each(total), 2*(1+len(grants)))
	rows := r.table("For", "Request", "Each organization", "In all")
	for _, s := range p.made.shares() {
		rows.row(kindNames[s.kind], s.what, each(s.count), strconv.Itoa(s.count))
	}
	rows.end()
}

// countOther counts the statuses of ClerkInstances and TenantClasses: one in a while, however many organizations there are.
func countOther(made requests) int {
	var n int
	for _, e := range made.of(statuses) {
		if e.Resource == "clerkinstances" || e.Resource == "tenantclasses" {
			n++
		}
	}
	return n
}
