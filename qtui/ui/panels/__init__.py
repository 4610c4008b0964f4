"""What answers and goes away: Plan, Ladder, Details, …"""
